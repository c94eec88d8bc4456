// Each wrong checkpoint is a right one with a single thing changed; what is wrong with the zip and
// with the pickle alone is in zip_test.cpp and pickle_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "checkpoint/raw.h"
#include "support/pickle_writer.h"

namespace chorus::checkpoint {
namespace {

using namespace std::string_literals;
using namespace test;
using testing::HasSubstr;
using testing::StartsWith;

constexpr auto kWrong = ErrorCode::kCorrupt;
constexpr auto kStrange = ErrorCode::kUnsupported;
constexpr std::int64_t kLargest = INT64_MAX;

Result<RawCheckpoint> read_raw(const std::string& file) {
  return read_pytorch(copy_bytes("file.pt", file));
}

// A file whose pickle is a state_dict with this one value under "w".
std::string with_value(const std::string& value) {
  return pytorch_file(pickle(dict({{"w", value}})));
}

std::string with_tensor(const TensorPickle& value) { return with_value(tensor(value)); }

// A file with a right tensor and one more item at the top.
std::string with_item(const std::string& key, const std::string& value) {
  return pytorch_file(pickle(dict({{"w", tensor()}, {key, value}})));
}

std::string with_config(const std::string& field, const std::string& value) {
  return with_item("config", dict({{field, value}}));
}

// A file of a right pickle and storage, with more members.
std::string with_members(std::vector<ZipEntry> more) {
  std::vector<ZipEntry> members = {
      {.name = "archive/data.pkl", .data = pickle(dict({{"w", tensor()}}))},
      {.name = "archive/data/0", .data = std::string(16, '\0')}};
  members.insert(members.end(), more.begin(), more.end());
  return write_zip(members);
}

std::string rebuild(const std::vector<std::string>& arguments) {
  return with_value(call(global("torch._utils", "_rebuild_tensor_v2"), arguments));
}

std::string object(const std::string& name) {
  return call(global("copyreg", "_reconstructor"),
              {global("train_gpt2", name), global("builtins", "object"), "N"});
}

TEST(PytorchRecords, TheFilesThatTheWrongOnesAreMadeFromAreRight) {
  EXPECT_TRUE(read_raw(with_tensor({})));
  EXPECT_TRUE(read_raw(with_config("n_layer", integer(3))));
  EXPECT_TRUE(read_raw(with_members({})));
  EXPECT_TRUE(read_raw(with_members({{.name = "archive/byteorder", .data = "little"}})));
  EXPECT_TRUE(read_raw(with_members({{.name = "archive/.data/serialization_id", .data = "1"}})));
}

TEST(PytorchRecords, GptConfigMayBeMadeByCopyreg) {
  std::string config = object("GPTConfig") + dict({{"n_head", integer(5)}}) + "b";
  Result<RawCheckpoint> raw = read_raw(with_item("config", config));
  ASSERT_TRUE(raw) << raw.assume_error().message;
  EXPECT_EQ(raw.assume_value().config.n_head, 5);
}

TEST(PytorchRecords, GptConfigMayBeMadeByACallOrHaveSlots) {
  for (const std::string& state :
       {dict({{"n_head", integer(5)}}), tuple({"N", dict({{"n_head", integer(5)}})})}) {
    std::string config = call(global("m", "GPTConfig"), {}) + state + "b";
    Result<RawCheckpoint> raw = read_raw(with_item("config", config));
    ASSERT_TRUE(raw) << raw.assume_error().message;
    EXPECT_EQ(raw.assume_value().config.n_head, 5);
  }
}

TEST(PytorchRecords, FieldsThatAreNoneAreNotStated) {
  Result<RawCheckpoint> raw = read_raw(with_config("vocab_size", "N"));
  ASSERT_TRUE(raw) << raw.assume_error().message;
  EXPECT_FALSE(raw.assume_value().config.vocab_size);
}

TEST(PytorchRecords, UntypedStoragesTakeTheirTypeFromTheDtype) {
  std::string id = tuple({text("storage"), global("torch.storage", "UntypedStorage"), text("0"),
                          text("cpu"), integer(16)}) +
                   "Q";
  std::string value = call(
      global("torch._utils", "_rebuild_tensor_v3"),
      {id, integer(2), integers({3}), integers({2}), "\x89", ")", global("torch", "bfloat16")});
  Result<RawCheckpoint> raw = read_raw(with_value(value));
  ASSERT_TRUE(raw) << raw.assume_error().message;
  const Tensor& tensor = raw.assume_value().tensors.at("w");
  EXPECT_EQ(tensor.dtype, NumberFormat::kBf16);
  EXPECT_EQ(tensor.data.size(), 10u);
}

// Tensors outside of the weights, as an optimizer's, may even lack their storages.
TEST(PytorchRecords, TheOptimizersStoragesAreNotTouched) {
  std::string optimizer = dict({{"state", tensor({.key = "missing", .offset = -5})}});
  std::string root =
      dict({{"model", dict({{"w", tensor()}})}, {"optimizer", optimizer}, {"step", integer(1)}});
  Result<RawCheckpoint> raw = read_raw(pytorch_file(pickle(root)));
  ASSERT_TRUE(raw) << raw.assume_error().message;
  EXPECT_EQ(raw.assume_value().tensors.size(), 1u);
}

TEST(PytorchRecords, TheRootFolderMayHaveAnyName) {
  std::string file =
      write_zip({{.name = "my model/data.pkl", .data = pickle(dict({{"w", tensor()}}))},
                 {.name = "my model/data/0", .data = std::string(16, '\0')}});
  EXPECT_TRUE(read_raw(file));
}

struct WrongFile {
  const char* name;
  std::string file;
  ErrorCode code;
  const char* message;
};

std::vector<WrongFile> wrong_archives() {
  const std::string right = with_members({});
  return {
      {"Empty", "", kWrong, "file.pt: the zip's end record"},
      {"NotAZip", "GGUF and something else", kWrong, "truncated, or not a zip"},
      {"Truncated", right.substr(0, right.size() / 2), kWrong, "truncated, or not a zip"},
      {"AnotherZip", write_zip({{.name = "word/document.xml", .data = ""}}), kStrange,
       "without a NAME/data.pkl"},
      {"TwoPickles", with_members({{.name = "other/data.pkl", .data = ""}}), kWrong,
       "both archive/data.pkl and other/data.pkl"},
      {"TorchScript", with_members({{.name = "archive/constants.pkl", .data = ""}}), kStrange,
       "a TorchScript archive (it holds 'archive/constants.pkl')"},
      {"TorchScriptCode", with_members({{.name = "archive/code/m.py", .data = ""}}), kStrange,
       "a TorchScript archive"},
      {"BigEndian", with_members({{.name = "archive/byteorder", .data = "big"}}), kStrange,
       "archive/byteorder: the byte order is 'big'; expected 'little'"},
      {"CompressedPickle", write_zip({{.name = "a/data.pkl", .data = "x", .method = 8}}), kWrong,
       "member 'a/data.pkl': its compressed data is damaged"},
      {"CompressedStorage",
       write_zip({{.name = "a/data.pkl", .data = pickle(dict({{"w", tensor()}}))},
                  {.name = "a/data/0", .data = std::string(16, '\0'), .method = 8}}),
       kWrong, "tensor 'w': member 'a/data/0': its compressed data is damaged"},
      {"OtherCompression",
       write_zip({{.name = "a/data.pkl", .data = pickle(dict({{"w", tensor()}}))},
                  {.name = "a/data/0", .data = std::string(16, '\0'), .method = 93}}),
       kStrange, "tensor 'w': member 'a/data/0': is compressed (method 93)"},
      {"EncryptedStorage",
       write_zip({{.name = "a/data.pkl", .data = pickle(dict({{"w", tensor()}}))},
                  {.name = "a/data/0", .data = std::string(16, '\0'), .flags = 1}}),
       kStrange, "tensor 'w': member 'a/data/0': is encrypted"},
      {"PickleIsTruncated", pytorch_file("\x80\x02}"s), kWrong,
       "archive/data.pkl: the pickle ends at byte 3"},
      {"Global", with_value(call(global("os", "system"), {text("true")})), kStrange,
       "file.pt: archive/data.pkl: byte 10: global os.system is not allowed in a checkpoint"},
      {"WholeModel", pytorch_file(pickle(object("GPT"))), kStrange,
       "what was saved is an object of class train_gpt2.GPT"},
      {"WholeModelUnderAKey", pytorch_file(pickle(dict({{"model", object("GPT")}}))), kStrange,
       "what was saved under 'model' is an object of class train_gpt2.GPT"},
      {"UnknownOpcode", with_value("\xf0"), kStrange, "byte 10: unknown opcode 0xf0"},
  };
}

std::vector<WrongFile> wrong_tensors() {
  return {
      {"NoStorage", with_tensor({.key = "7"}), kWrong,
       "tensor 'w': its storage 'archive/data/7' is not in the file"},
      {"StorageTooShort", with_tensor({.count = 5}), kWrong,
       "its storage '0' has 16 bytes; expected 5 elements of 4 bytes"},
      {"StorageTooLong", with_tensor({.count = 3, .shape = {1}, .strides = {1}}), kWrong,
       "expected 3 elements"},
      {"StorageNegative", with_tensor({.count = -4}), kWrong, "expected -4 elements"},
      {"StorageOverflows", with_tensor({.count = kLargest}), kWrong, "has 16 bytes"},
      {"OtherTypesStorage", with_tensor({.storage = "HalfStorage"}), kWrong, "has 16 bytes"},
      {"OffsetNegative", with_tensor({.offset = -1}), kWrong,
       "tensor 'w': data.pkl: byte 187: the storage offset is negative, -1"},
      {"OffsetOutside", with_tensor({.offset = 1}), kWrong,
       "its elements 1 to 4 lie outside its storage of 4 elements"},
      {"OffsetOverflows", with_tensor({.offset = kLargest}), kWrong, "overflow 64 bits"},
      {"EmptyTensorOutside", with_tensor({.offset = 5, .shape = {0}, .strides = {1}}), kWrong,
       "lie outside"},
      {"ShapeNegative", with_tensor({.shape = {-2, 2}}), kWrong,
       "the shape holds a negative number, -2"},
      {"ShapeTooLarge", with_tensor({.shape = {3, 2}}), kWrong, "its elements 0 to 5 lie outside"},
      {"ShapeOverflows", with_tensor({.shape = {kLargest, kLargest}}), kWrong, "overflow 64 bits"},
      {"CountOverflows", with_tensor({.shape = {kLargest, kLargest}, .strides = {0, 0}}), kWrong,
       "overflow 64 bits"},
      {"ExpandedTooFar", with_tensor({.shape = {1 << 20, 1 << 20}, .strides = {0, 0}}), kStrange,
       "it shows 1099511627776 elements of a storage of 4"},
      {"StrideNegative", with_tensor({.strides = {2, -1}}), kWrong,
       "the stride holds a negative number, -1"},
      {"StrideTooLarge", with_tensor({.strides = {3, 1}}), kWrong, "its elements 0 to 4 lie"},
      {"StrideOverflows", with_tensor({.shape = {3, 2}, .strides = {kLargest, 1}}), kWrong,
       "overflow 64 bits"},
      {"StrideOfOtherRank", with_tensor({.strides = {1}}), kWrong,
       "a shape of 2 dimensions, but a stride of 1"},
      {"TooManyDimensions",
       with_tensor({.shape = {1, 1, 1, 1, 1, 1, 1, 1, 1}, .strides = {1, 1, 1, 1, 1, 1, 1, 1, 1}}),
       kStrange, "9 dimensions; expected at most 8"},
      {"NoArguments", rebuild({}), kWrong, "expected a tensor of (storage, offset, size, stride"},
      {"StorageIsNone", rebuild({"N", integer(0), ")", ")"}), kWrong, "expected a tensor of"},
      {"OffsetIsText", rebuild({storage({}), text("0"), ")", ")"}), kWrong, "expected a tensor of"},
      {"ShapeIsNumber", rebuild({storage({}), integer(0), integer(4), ")"}), kWrong,
       "the shape is not a tuple"},
      {"ShapeOfText", rebuild({storage({}), integer(0), tuple({text("4")}), ")"}), kWrong,
       "the shape holds something that is not a 64-bit integer"},
      {"StorageIdIsText", rebuild({text("0") + "Q", integer(0), ")", ")"}), kWrong,
       "expected a storage as"},
      {"StorageClassIsNot",
       rebuild(
           {tuple({text("storage"), global("torch", "Size"), text("0"), text("cpu"), integer(4)}) +
                "Q",
            integer(0), ")", ")"}),
       kWrong, "expected a storage class or a dtype"},
      {"NameIsNumber", pytorch_file(pickle("}"s + integer(1) + tensor() + "s")), kWrong,
       "a tensor whose name is not a string"},
      {"NameIsTooLong", pytorch_file(pickle(dict({{std::string(1025, 'n'), tensor()}}))), kWrong,
       "a tensor whose name is not a string of at most 1024 bytes"},
  };
}

std::vector<WrongFile> wrong_contents() {
  return {
      {"SavedATensor", pytorch_file(pickle(tensor())), kStrange, "what was saved is not a dict"},
      {"SavedAList", pytorch_file(pickle(list({tensor()}))), kStrange,
       "is not a dict (it is a list)"},
      {"NoTensors", with_value(integer(1)), kStrange, "no tensors; expected a state_dict"},
      {"EmptyModel", pytorch_file(pickle(dict({{"model", dict({})}}))), kStrange, "no tensors"},
      {"ConfigIsText", with_item("config", text("gpt2")), kWrong,
       "config is not a dict or an object with fields"},
      {"FieldIsText", with_config("n_layer", text("12")), kWrong,
       "config.n_layer has the wrong type; expected a whole number"},
      {"FieldIsFraction", with_config("n_head", real(12)), kWrong,
       "config.n_head has the wrong type; expected a whole number"},
      {"FieldIsHuge", with_config("n_embd", "\x8a\x09"s + std::string(9, '\1')), kWrong,
       "config.n_embd is an integer of over 64 bits; expected 1 to"},
      {"ModelArgsField", with_item("model_args", dict({{"block_size", text("x")}})), kWrong,
       "config field model_args.block_size has the wrong type"},
      {"BiasIsText", with_config("bias", text("yes")), kWrong, "config.bias has the wrong type; expected True or False"},
      {"LossOutsideItsStorage",
       pytorch_file(
           pickle(dict({{"model", dict({{"w", tensor()}})},
                        {"val_loss", tensor({.offset = 4, .shape = {}, .strides = {}})}}))),
       kWrong, "file.pt: val_loss: its elements 4 to 4 lie outside"},
  };
}

void expect_refused(const std::vector<WrongFile>& files) {
  for (const WrongFile& wrong : files) {
    SCOPED_TRACE(wrong.name);
    Result<RawCheckpoint> raw = read_raw(wrong.file);
    ASSERT_FALSE(raw);
    EXPECT_EQ(raw.assume_error().code, wrong.code) << raw.assume_error().message;
    EXPECT_THAT(raw.assume_error().message, HasSubstr(wrong.message));
    EXPECT_THAT(raw.assume_error().message, StartsWith("file.pt: "));
  }
}

TEST(PytorchWrongFiles, ArchivesAreRefusedWithTheirReason) { expect_refused(wrong_archives()); }
TEST(PytorchWrongFiles, TensorsAreRefusedWithTheirReason) { expect_refused(wrong_tensors()); }
TEST(PytorchWrongFiles, ContentsAreRefusedWithTheirReason) { expect_refused(wrong_contents()); }

TEST(PytorchWrongFiles, EveryTruncationIsRefused) {
  const std::string right = with_members({});
  ASSERT_TRUE(read_raw(right));
  for (std::size_t size = 0; size < right.size(); ++size)
    EXPECT_FALSE(read_raw(right.substr(0, size)));
}

TEST(PytorchWrongFiles, AChangedBitInThePickleIsNoticed) {
  const std::string right = with_members({});
  std::size_t start = right.find("\x80\x02");
  for (std::size_t i = start; right[i] != '.' || right.compare(i + 1, 2, "PK") != 0; ++i) {
    std::string changed = right;
    changed[i] = static_cast<char>(changed[i] ^ 4);
    Result<RawCheckpoint> raw = read_raw(changed);
    ASSERT_FALSE(raw) << i;
    EXPECT_THAT(raw.assume_error().message, HasSubstr("CRC-32"));
  }
}

}  // namespace
}  // namespace chorus::checkpoint
