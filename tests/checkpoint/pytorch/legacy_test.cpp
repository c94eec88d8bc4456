// The format before torch.save had zips, and every way in which such a file may be wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "checkpoint/pytorch/archive.h"
#include "checkpoint/raw.h"
#include "support/pickle_writer.h"

namespace chorus::checkpoint {
namespace {

using namespace std::string_literals;
using namespace test;
using testing::HasSubstr;

struct LegacyFile {
  std::string magic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"s;
  std::string version = integer(1001);
  std::string machine = dict({{"protocol_version", integer(1001)}, {"little_endian", "\x88"}});
  std::string saved = dict({{"w", tensor()}});
  std::string keys = list({text("0")});
  std::string storages = little_endian(4, 8) + std::string(16, '\1');

  std::string write() const {
    return pickle(magic) + pickle(version) + pickle(machine) + pickle(saved) + pickle(keys) +
           storages;
  }
};

Result<RawCheckpoint> read_legacy(const std::string& file) {
  return read_pytorch(copy_bytes("file.pt", file));
}

TEST(Legacy, StoragesAreFoundByTheirKeysInTheOrderOfTheList) {
  LegacyFile file;
  file.saved = dict(
      {{"a", tensor({.key = "one"})},
       {"b",
        tensor(
            {.storage = "HalfStorage", .key = "two", .offset = 1, .shape = {3}, .strides = {1}})},
       {"c", tensor({.key = "one", .offset = 2, .shape = {2}, .strides = {1}})}});
  file.keys = list({text("two"), text("one")});
  file.storages = little_endian(4, 8) + "aabbccdd" + little_endian(4, 8) + "AAAABBBBCCCCDDDD" + "x";
  Result<RawCheckpoint> raw = read_legacy(file.write());
  ASSERT_TRUE(raw) << raw.assume_error().message;
  auto text_of = [&](const char* name) {
    auto data = raw.assume_value().tensors.at(name).data;
    return std::string(reinterpret_cast<const char*>(data.data()), data.size());
  };
  EXPECT_EQ(text_of("a"), "AAAABBBBCCCCDDDD");
  EXPECT_EQ(text_of("b"), "bbccdd");
  EXPECT_EQ(text_of("c"), "CCCCDDDD");
}

std::string with_view(const std::string& view) {
  std::string id = tuple({text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"),
                          integer(4), view}) +
                   "Q";
  return dict({{"w", call(global("torch._utils", "_rebuild_tensor_v2"),
                          {id, integer(1), integers({2}), integers({1}), "\x89", "}"})}});
}

TEST(Legacy, AViewOfAStorageMovesTheTensorsOffset) {
  LegacyFile file;
  file.storages = little_endian(4, 8) + "AAAABBBBCCCCDDDD";
  file.saved = with_view(tuple({text("v"), integer(1), integer(3)}));
  Result<RawCheckpoint> raw = read_legacy(file.write());
  ASSERT_TRUE(raw) << raw.assume_error().message;
  EXPECT_EQ(static_cast<char>(raw.assume_value().tensors.at("w").data[0]), 'C');
  file.saved = with_view("N");
  EXPECT_TRUE(read_legacy(file.write()));
}

TEST(Legacy, EveryProtocolsMagicIsKnown) {
  for (char version : {'\2', '\3', '\4', '\5'}) {
    std::string file = LegacyFile().write();
    file[1] = version;
    EXPECT_TRUE(read_legacy(file));
  }
  std::string framed = LegacyFile().write().substr(2);
  EXPECT_TRUE(read_legacy("\x80\x04\x95"s + little_endian(13, 8) + framed));
}

TEST(Legacy, EveryWrongFileIsRefusedWithItsReason) {
  struct Row {
    const char* what;
    std::function<void(LegacyFile&)> spoil;
    const char* message;
  };
  const std::string huge(8, '\xff');
  const Row rows[] = {
      {"version", [](LegacyFile& f) { f.version = integer(1000); }, "not of version 1001"},
      {"version of text", [](LegacyFile& f) { f.version = text("x"); }, "not of version 1001"},
      {"big-endian",
       [](LegacyFile& f) {
         f.machine = dict({{"little_endian", "\x89"}});
       },
       "written on a big-endian machine"},
      {"no machine", [](LegacyFile& f) { f.machine = "N"; }, "properties are not a dict"},
      {"keys are no list", [](LegacyFile& f) { f.keys = "N"; }, "the keys are not a list"},
      {"keys are numbers", [](LegacyFile& f) { f.keys = list({integer(0)}); }, "nothing refers to"},
      {"another key", [](LegacyFile& f) { f.keys = list({text("1")}); }, "nothing refers to"},
      {"no key", [](LegacyFile& f) { f.keys = list({}); }, "its storage '0' is not in the file"},
      {"no storages", [](LegacyFile& f) { f.storages.clear(); }, "the file is truncated"},
      {"a short storage", [](LegacyFile& f) { f.storages.pop_back(); }, "the file is truncated"},
      {"another count",
       [](LegacyFile& f) { f.storages = little_endian(3, 8) + f.storages.substr(8); },
       "has 12 bytes; expected 4 elements of 4 bytes"},
      {"a huge count", [&](LegacyFile& f) { f.storages = huge + f.storages.substr(8); },
       "18446744073709551615 elements of 4 bytes"},
      {"a refused global", [](LegacyFile& f) { f.saved = call(global("os", "system"), {}); },
       "what was saved at byte"},
      {"a view outside",
       [](LegacyFile& f) {
         f.saved = with_view(tuple({text("v"), integer(3), integer(1)}));
       },
       "lie outside its storage"},
      {"a view that overflows",
       [](LegacyFile& f) {
         f.saved = with_view(tuple({text("v"), integer(INT64_MAX), integer(1)}));
       },
       "the storage offset overflows"},
      {"a negative view",
       [](LegacyFile& f) {
         f.saved = with_view(tuple({text("v"), integer(-1), integer(1)}));
       },
       "expected the view of a storage"},
      {"a whole model",
       [](LegacyFile& f) {
         f.saved = tuple({text("module"), global("__main__", "GPT"), text("f.py"), text("x")}) +
                   "Q)\x81}b";
         f.keys = list({});
       },
       "an object of class __main__.GPT"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    LegacyFile file;
    row.spoil(file);
    Result<RawCheckpoint> raw = read_legacy(file.write());
    ASSERT_FALSE(raw);
    EXPECT_THAT(raw.assume_error().message, HasSubstr(row.message));
    EXPECT_THAT(raw.assume_error().message, testing::StartsWith("file.pt: "));
  }
}

TEST(Legacy, EveryTruncationIsRefused) {
  const std::string good = LegacyFile().write();
  for (std::size_t size = 14; size < good.size(); ++size) {
    EXPECT_FALSE(read_legacy(good.substr(0, size))) << size;
  }
}

}  // namespace
}  // namespace chorus::checkpoint
