#include "checkpoint/safetensors/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/safetensors_writer.h"

namespace chorus::checkpoint {
namespace {

using test::safetensors_file;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

Result<SafetensorsContent> read_content(const std::string& file) {
  return read_safetensors(copy_bytes("some.safetensors", file));
}

TEST(Safetensors, GivesTensorsMetadataAndTheTypesOfTheRest) {
  Bytes bytes = copy_bytes("f", safetensors_file({{"a", {"F32", {2, 3}, std::string(24, 'a')}},
                                                  {"b", {"BF16", {}, "bb"}},
                                                  {"c", {"F16", {0, 5}, ""}},
                                                  {"mask", {"BOOL", {3}, "123"}},
                                                  {"odd", {"F4", {3}, "12"}}},
                                                 R"({"format": "pt"})"));
  EXPECT_TRUE(looks_like_safetensors(bytes));
  auto content = read_safetensors(bytes);
  ASSERT_TRUE(content) << content.assume_error().message;
  const auto& tensors = content.assume_value().tensors;
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors.at("a").dtype, NumberFormat::kF32);
  EXPECT_EQ(tensors.at("a").shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(tensors.at("a").strides, (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(tensors.at("b").dtype, NumberFormat::kBf16);
  EXPECT_EQ(tensors.at("b").element_count(), 1);
  EXPECT_EQ(static_cast<char>(tensors.at("b").data[1]), 'b');
  EXPECT_EQ(tensors.at("c").element_count(), 0);
  const auto& others = content.assume_value().other_tensors;
  ASSERT_EQ(others.size(), 2u);
  EXPECT_EQ(others.at("mask").type, "BOOL");
  EXPECT_EQ(others.at("odd").type, "F4");
  EXPECT_THAT(content.assume_value().metadata, UnorderedElementsAre(Pair("format", "pt")));
}

TEST(Safetensors, PaddingGapsAndBytesAfterTheEndAreLetPass) {
  auto content = read_content(
      safetensors_file(R"({"b": {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]}, )"
                       R"("a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}   )",
                       std::string(20, 'x')));
  EXPECT_TRUE(content) << content.assume_error().message;
}

std::string one_tensor(const std::string& dtype, const std::string& shape,
                       const std::string& offsets) {
  return safetensors_file("{\"w\": {\"dtype\": " + dtype + ", \"shape\": " + shape +
                              ", \"data_offsets\": " + offsets + "}}",
                          std::string(16, 'x'));
}

TEST(Safetensors, EveryWrongFileGetsOneClearError) {
  struct Row {
    const char* what;
    std::string file;
    const char* message;
  };
  const std::string whole = safetensors_file({{"a", {"F32", {1}, "1234"}}});
  const Row rows[] = {
      {"empty", "", "0 bytes long"},
      {"cut in the length", whole.substr(0, 5), "5 bytes long"},
      {"cut in the header", whole.substr(0, 20), "truncated: the safetensors header has"},
      {"cut in the data", whole.substr(0, whole.size() - 1), "outside the file"},
      {"huge header", std::string("\0\0\0\0\0\1\0\0{", 9), "header too large"},
      {"JSON that breaks off", safetensors_file("{\"a\": "), "bad JSON at byte 6"},
      {"text after the JSON", safetensors_file("{} x"), "bad JSON at byte 3"},
      {"not an object", safetensors_file("[{}]"), "expected a JSON object"},
      {"deep nesting", safetensors_file("{\"a\":" + std::string(999, '[')), "bad JSON"},
      {"ill-formed UTF-8", safetensors_file("{\"\xff\": 1}"), "bad JSON"},
      {"key twice", safetensors_file("{\"a\": 1, \"a\": 1}"), "the key 'a' stands twice"},
      {"key twice, escaped", safetensors_file(R"({"a": 1, "\u0061": 1})"), "key 'a' stands twice"},
      {"field twice", safetensors_file(R"({"a": {"dtype": "F32", "dtype": "F16"}})"),
       "the key 'dtype' stands twice"},
      {"control character", safetensors_file(R"({"\n": 1})"), "tensor '\\x0a': expected an object"},
      {"metadata not an object", safetensors_file(R"({"__metadata__": 1})"), "'__metadata__'"},
      {"metadata not strings", safetensors_file(R"({"__metadata__": {"k": 1}})"), "field 'k'"},
      {"no dtype", safetensors_file(R"({"a": {"shape": [], "data_offsets": [0, 0]}})"), "'dtype'"},
      {"dtype not a string", one_tensor("32", "[4]", "[0, 16]"), "'dtype'"},
      {"shape not an array", one_tensor("\"F32\"", "4", "[0, 16]"), "'shape'"},
      {"shape with a fraction", one_tensor("\"F32\"", "[4.0]", "[0, 16]"), "'shape'"},
      {"negative size", one_tensor("\"F32\"", "[-4]", "[0, 16]"), "'shape'"},
      {"size over 63 bits", one_tensor("\"F32\"", "[9223372036854775808]", "[0, 16]"), "'shape'"},
      {"nine dimensions", one_tensor("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0, 4]"), "9 dimensions"},
      {"count overflows", one_tensor("\"F32\"", "[4294967296, 4294967296]", "[0, 16]"), "overflow"},
      {"count overflows behind a zero",
       one_tensor("\"F32\"", "[0, 4294967296, 4294967296]", "[0, 0]"), "overflow"},
      {"bytes overflow", one_tensor("\"F32\"", "[4611686018427387904]", "[0, 16]"), "overflow"},
      {"one offset", one_tensor("\"F32\"", "[4]", "[0]"), "[begin, end]"},
      {"offsets reversed", one_tensor("\"F32\"", "[4]", "[16, 0]"), "outside the file"},
      {"end after the file", one_tensor("\"F32\"", "[4]", "[4, 20]"),
       "[4, 20] lie outside the file"},
      {"too few bytes", one_tensor("\"F32\"", "[4]", "[0, 12]"), "hold 12 bytes"},
      {"too many bytes", one_tensor("\"BF16\"", "[4]", "[0, 16]"), "needs 8"},
      {"wrong bytes of another type", one_tensor("\"I64\"", "[4]", "[0, 16]"), "needs 32"},
      {"overlap",
       safetensors_file(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, )"
                        R"("b": {"dtype": "I8", "shape": [2], "data_offsets": [7, 9]}})",
                        std::string(16, 'x')),
       "tensors 'a' and 'b' overlap"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    auto content = read_content(row.file);
    ASSERT_FALSE(content);
    EXPECT_EQ(content.assume_error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(content.assume_error().message, HasSubstr(row.message));
    EXPECT_THAT(content.assume_error().message, testing::StartsWith("some.safetensors: "));
  }
}

}  // namespace
}  // namespace chorus::checkpoint
