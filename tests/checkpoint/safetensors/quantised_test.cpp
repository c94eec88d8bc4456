// Quantised files: written and opened again, and every way in which one can be wrong.

#include "checkpoint/safetensors/quantised.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "checkpoint/little_endian.h"
#include "checkpoint/safetensors/write.h"
#include "core/error_text.h"
#include "kernels/integer.h"
#include "support/safetensors_writer.h"
#include "support/scratch_folder.h"

namespace chorus::checkpoint {
namespace {

using test::ScratchFolder;
using testing::HasSubstr;

std::span<const std::byte> some_bytes(Checkpoint& checkpoint, std::size_t size, char fill) {
  auto bytes = std::make_shared<std::string>(size, fill);
  checkpoint.owners.push_back(bytes);
  return std::as_bytes(std::span<const char>(*bytes));
}

std::size_t product(const std::vector<std::int64_t>& shape) {
  std::size_t count = 1;
  for (std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  return count;
}

// The tiny GPT-2 with quantised matrices whose bytes mean nothing; the embedding has a common part.
Checkpoint quantised_model(const ScratchFolder& folder) {
  folder.write("config.json", test::tiny_config());
  auto opened = open(folder.write("source", test::safetensors_file(test::tiny_gpt2())));
  EXPECT_TRUE(opened) << opened.assume_error().message;
  Checkpoint model = opened.assume_value();
  for (const auto& [name, tensor] : opened.assume_value().tensors) {
    if (tensor.shape.size() != 2 || name == "wpe.weight") continue;
    NumberFormat type = name == "wte.weight" ? NumberFormat::kInt8 : NumberFormat::kInt4;
    QuantisedMatrix matrix = empty_quantised(type, tensor.shape[0], tensor.shape[1]);
    matrix.weights = some_bytes(model, product(weights_shape(matrix)), 'w');
    matrix.scales = some_bytes(model, 2 * product(scales_shape(matrix)), 's');
    if (name == "wte.weight") {
      matrix.common = Tensor{NumberFormat::kF32, {4}, {1}, some_bytes(model, 16, 'c')};
      matrix.shares = Tensor{NumberFormat::kF32, {6}, {1}, some_bytes(model, 24, 'h')};
    }
    model.quantised.emplace(name, matrix);
    model.tensors.erase(name);
  }
  return model;
}

std::string quantised_file(const ScratchFolder& folder) {
  std::string path = folder.file("quantised");
  auto written = write_safetensors(quantised_model(folder), path, NumberFormat::kF32);
  EXPECT_TRUE(written) << written.assume_error().message;
  EXPECT_EQ(written.assume_value(), std::filesystem::file_size(path));
  auto bytes = map_file(path);
  EXPECT_TRUE(bytes);
  return std::string(bytes.assume_value().text());
}

// The file with every `from` in its header replaced, and the data moved to a multiple of 64 again.
std::string edited(const std::string& file, const std::string& from, const std::string& to) {
  std::size_t length = load_u64(reinterpret_cast<const std::byte*>(file.data()));
  std::string header = file.substr(8, length);
  EXPECT_THAT(header, HasSubstr(from));
  for (std::size_t at = 0; (at = header.find(from, at)) != std::string::npos; at += to.size()) {
    header.replace(at, from.size(), to);
  }
  while ((8 + header.size()) % kFileAlignment != 0) header += ' ';
  return test::safetensors_file(header, file.substr(8 + length));
}

std::string error_of(const std::string& file) {
  auto opened = open(copy_bytes("f", file));
  return opened ? "" : opened.assume_error().message;
}

// What quantised.h documents, as it stands in its comment.
std::string documented(const std::string& pattern) {
  auto header = map_file(CHORUS_SOURCE_DIR "/src/checkpoint/safetensors/quantised.h");
  EXPECT_TRUE(header);
  std::string text(header.assume_value().text());
  std::smatch match;
  EXPECT_TRUE(std::regex_search(text, match, std::regex(pattern))) << pattern;
  return match.size() > 1 ? match[1].str() : "";
}

TEST(QuantisedFile, IsWrittenAsItsHeaderDocuments) {
  EXPECT_EQ(documented(R"re(//   "chorus\.quantised" +(\{.*\}))re"), quantised_metadata());
  // P = 3 panels, G = 2 groups.
  auto shape = [](std::string text) {
    std::replace(text.begin(), text.end(), 'P', '3');
    std::replace(text.begin(), text.end(), 'G', '2');
    return text;
  };
  QuantisedMatrix int8 = empty_quantised(NumberFormat::kInt8, 65, 33);
  QuantisedMatrix int4 = empty_quantised(NumberFormat::kInt4, 96, 64);
  EXPECT_EQ(shape_text(weights_shape(int8)),
            shape(documented(R"(//   NAME\.int8 +U8 +(\[.*?\]))")));
  EXPECT_EQ(shape_text(weights_shape(int4)),
            shape(documented(R"(//   NAME\.int4 +U8 +(\[.*?\]))")));
  EXPECT_EQ(shape_text(scales_shape(int4)),
            shape(documented(R"(//   NAME\.scales +BF16 +(\[.*?\]))")));
  EXPECT_EQ(documented("groups of ([0-9]+) inputs"), std::to_string(kernels::kGroup));
  EXPECT_EQ(documented("panels of ([0-9]+) outputs"), std::to_string(kernels::kPanelWidth));
}

TEST(QuantisedFile, OpensAsItWasWritten) {
  ScratchFolder folder;
  Checkpoint model = quantised_model(folder);
  std::string file = quantised_file(folder);
  auto opened = open(copy_bytes("f", file));
  ASSERT_TRUE(opened) << opened.assume_error().message;
  const Checkpoint& found = opened.assume_value();
  EXPECT_EQ(found.parameter_count(), model.parameter_count());
  EXPECT_EQ(quantised_format(found), NumberFormat::kInt4);
  ASSERT_EQ(found.quantised.size(), model.quantised.size());
  for (const auto& [name, matrix] : model.quantised) {
    const QuantisedMatrix& other = found.quantised.at(name);
    EXPECT_EQ(other.type, matrix.type);
    EXPECT_EQ(other.outputs, matrix.outputs);
    EXPECT_EQ(other.inputs, matrix.inputs);
    EXPECT_TRUE(std::ranges::equal(other.weights, matrix.weights)) << name;
    EXPECT_TRUE(std::ranges::equal(other.scales, matrix.scales)) << name;
    EXPECT_EQ(other.common.has_value(), name == "wte.weight");
    auto place = reinterpret_cast<const char*>(other.weights.data()) -
                 reinterpret_cast<const char*>(found.quantised.begin()->second.weights.data());
    EXPECT_EQ(place % static_cast<std::ptrdiff_t>(kFileAlignment), 0) << name;
  }
}

TEST(QuantisedFile, AScaleThatIsNoNumberIsFound) {
  ScratchFolder folder;
  Checkpoint model = quantised_model(folder);
  EXPECT_EQ(find_nonfinite(model), std::nullopt);
  QuantisedMatrix& matrix = model.quantised.at("h.1.mlp.c_proj.weight");
  std::string scales(matrix.scales.size(), '\0');
  scales[2 * 3] = '\x80';
  scales[2 * 3 + 1] = '\x7f';
  matrix.scales = std::as_bytes(std::span<const char>(scales));
  EXPECT_EQ(find_nonfinite(model), "h.1.mlp.c_proj.weight.scales[0, 0, 3] is inf");
}

TEST(QuantisedFile, WhatIsWrongIsNamed) {
  ScratchFolder folder;
  std::string file = quantised_file(folder);
  ASSERT_EQ(error_of(file), "");
  struct Wrong {
    std::string from, to, message;
  };
  const std::string wte = R"("wte.weight.int8":{"dtype":"U8","shape":[1,1,)";
  const Wrong wrong[] = {
      {R"(\"version\": 1)", R"(\"version\": 2)",
       "f: metadata chorus.quantised: field 'version' is 2; this program reads 1"},
      {R"(\"int8_group\")", R"(\"int8_grope\")", "field int8_group: expected a whole number, found nothing"},
      {R"(\"panel\": 32)", R"(\"panel\": 16)", "field 'panel' is 16; this program reads 32"},
      {R"({\"version\")", R"([\"version\")", "f: metadata chorus.quantised: "},
      {R"("chorus.quantised")", R"("chorus.other")", "missing tensor 'wte.weight'"},
      {wte, R"("wte.weight.int8":{"dtype":"U8","shape":[1,0,)", "needs 0"},
      {wte + "8,32,4]", R"("wte.weight.int8":{"dtype":"U8","shape":[1024])",
       "tensor 'wte.weight.int8' has the wrong shape: found [1024], expected [panels, groups, 8, "
       "32, 4]"},
      {wte + "8,32,4]", R"("wte.weight.int8":{"dtype":"U8","shape":[1,2,4,32,4])",
       "found [1, 2, 4, 32, 4], expected [1, 2, 8, 32, 4]"},
      {wte, R"("wte.weight.int8":{"dtype":"I8","shape":[1,1,)", "missing quantised matrix"},
      {"wte.weight.int8", "wte.weight.int4", "'wte.weight.int4' has the wrong shape"},
      {"wte.weight.scales", "wte.weight.scale", "missing tensor 'wte.weight.scales'"},
      {R"("wte.weight.scales":{"dtype":"BF16")", R"("wte.weight.scales":{"dtype":"F16")",
       "is of type f16; expected bf16"},
      {R"("wte.weight.scales":{"dtype":"BF16","shape":[1,1,32])",
       R"("wte.weight.scales":{"dtype":"BF16","shape":[1,32,1])",
       "found [1, 32, 1], expected [1, 1, 32]"},
      {"h.0.attn.c_proj.weight.int4", "h.0.attn.c_fork.weight.int4",
       "missing tensor 'h.0.attn.c_fork.weight.scales'"},
      {"h.0.attn.c_proj.weight", "h.0.attn.c_fork.weight",
       "missing quantised matrix 'h.0.attn.c_proj.weight'"},
      {"h.0.attn.c_proj.weight", "h.2.attn.c_proj.weight",
       "missing quantised matrix 'h.0.attn.c_proj.weight'"},
      {R"(\"vocab_size\":6)", R"(\"vocab_size\":33)",
       "quantised matrix 'wte.weight' has 1 panels of 1 groups; a matrix of shape [33, 4] has 2 of "
       "1"},
      {"wte.weight.common", "wte.weight.uncommon",
       "'wte.weight' has one of 'common' and 'shares'; expected both or neither"},
      {R"("wte.weight.common":{"dtype":"F32","shape":[4])",
       R"("wte.weight.common":{"dtype":"F32","shape":[2,2])", "found [2, 2], expected [4]"},
  };
  for (const Wrong& w : wrong) {
    EXPECT_THAT(error_of(edited(file, w.from, w.to)), HasSubstr(w.message)) << w.from << w.to;
  }
  std::string common = edited(file, "wte.weight.common", "h.0.mlp.c_fc.weight.common");
  common = edited(common, "wte.weight.shares", "h.0.mlp.c_fc.weight.shares");
  EXPECT_THAT(error_of(common), HasSubstr("'h.0.mlp.c_fc.weight' has 'common', which only"));
}

TEST(QuantisedFile, DataMustBeAligned) {
  ScratchFolder folder;
  std::string file = quantised_file(folder);
  std::size_t length = load_u64(reinterpret_cast<const std::byte*>(file.data()));
  std::string shifted =
      test::safetensors_file(file.substr(8, length) + " ", file.substr(8 + length));
  EXPECT_THAT(error_of(shifted), HasSubstr("expected a multiple of 64"));
}

TEST(QuantisedFile, EveryTruncationIsRefused) {
  ScratchFolder folder;
  std::string file = quantised_file(folder);
  for (std::size_t size = 0; size < file.size(); size += 41) {
    EXPECT_NE(error_of(file.substr(0, size)), "") << size;
  }
}

}  // namespace
}  // namespace chorus::checkpoint
