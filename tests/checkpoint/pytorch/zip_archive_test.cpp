// Compressed archives, and how much one may ask for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "checkpoint/pytorch/archive.h"
#include "checkpoint/raw.h"
#include "support/deflate.h"
#include "support/pickle_writer.h"

namespace chorus::checkpoint {
namespace {

using namespace std::string_literals;
using namespace test;
using testing::AllOf;
using testing::HasSubstr;

Result<RawCheckpoint> read_packed(const std::string& file) {
  return read_pytorch(copy_bytes("file.pt", file));
}

// A right pickle that names one storage of `count` floats.
std::string pickle_of(std::int64_t count) {
  return pickle(dict({{"w", tensor({.count = count, .shape = {count}, .strides = {1}})}}));
}

std::string storage_bytes(std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes += "\x01\x02\x03"s + static_cast<char>(i);
  return bytes;
}

TEST(ZipArchive, DeflatedMembersAreRead) {
  const std::string data = storage_bytes(300);
  for (bool zip64 : {false, true}) {
    Result<RawCheckpoint> raw =
        read_packed(write_zip({deflated({.name = "a/data.pkl", .data = pickle_of(300)}),
                               deflated({.name = "a/byteorder", .data = "little"}),
                               deflated({.name = "a/data/0", .data = data})},
                              {.zip64 = zip64}));
    ASSERT_TRUE(raw) << raw.assume_error().message;
    auto found = raw.assume_value().tensors.at("w").data;
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(found.data()), found.size()), data);
  }
}

TEST(ZipArchive, TheRootMayBeTheArchiveItselfOrDeeper) {
  for (std::string root : {"", "a/", "a/b/"}) {
    EXPECT_TRUE(read_packed(write_zip({{.name = root + "data.pkl", .data = pickle_of(4)},
                                       {.name = root + "data/0", .data = storage_bytes(4)}})));
  }
}

std::string with_storage(ZipEntry entry) {
  entry.name = "a/data/0";
  return write_zip({{.name = "a/data.pkl", .data = pickle_of(300)}, entry});
}

TEST(ZipArchive, EveryWrongCompressionIsRefused) {
  const ZipEntry good = deflated({.name = "", .data = storage_bytes(300)});
  ASSERT_TRUE(read_packed(with_storage(good)));
  struct Row {
    const char* what;
    std::function<void(ZipEntry&)> spoil;
    const char* message;
  };
  const Row rows[] = {
      {"cut", [](ZipEntry& e) { e.data.resize(e.data.size() / 2); }, "data is damaged after"},
      {"empty", [](ZipEntry& e) { e.data.clear(); }, "0 compressed bytes cannot be 1200"},
      {"changed", [](ZipEntry& e) { e.data[0] = '\xff'; }, "data is damaged after 0"},
      {"shorter than stated", [](ZipEntry& e) { e.size = 1201; }, "damaged after 1200 of 1201"},
      {"longer than stated", [](ZipEntry& e) { e.size = 1199; }, "damaged after 1199 of 1199"},
      {"nothing stated", [](ZipEntry& e) { e.size = 0; }, "damaged after 0 of 0"},
      {"other contents", [](ZipEntry& e) { e.crc = 5; }, "its CRC-32 is"},
      {"too large to be true", [](ZipEntry& e) { e.size = 0xfffffff0; },
       "compressed members are 4294967280 bytes"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    ZipEntry entry = good;
    row.spoil(entry);
    Result<RawCheckpoint> raw = read_packed(with_storage(entry));
    ASSERT_FALSE(raw);
    EXPECT_THAT(raw.assume_error().message,
                AllOf(HasSubstr("'a/data/0': "), HasSubstr(row.message)));
  }
}

// 40 members of 4 MiB of zeros: 160 MiB in a file of 160 KB. Each alone would pass.
TEST(ZipArchive, TheSumOfWhatIsDecompressedIsBounded) {
  constexpr std::size_t kSize = 4 << 20;
  const ZipEntry zeros = deflated({.name = "", .data = std::string(kSize, '\0')});
  std::vector<std::pair<std::string, std::string>> items;
  std::vector<ZipEntry> members;
  for (int i = 0; i < 40; ++i) {
    std::string key = std::to_string(i);
    items.emplace_back(
        "w" + key, tensor({.key = key, .count = kSize / 4, .shape = {kSize / 4}, .strides = {1}}));
    members.push_back(zeros);
    members.back().name = "a/data/" + key;
  }
  members.push_back({.name = "a/data.pkl", .data = pickle(dict(items))});
  Result<RawCheckpoint> raw = read_packed(write_zip(members));
  ASSERT_FALSE(raw);
  EXPECT_EQ(raw.assume_error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(raw.assume_error().message, HasSubstr("expected at most 16 times as many"));
}

TEST(ZipArchive, AnotherZipIsRefusedByWhatIsInIt) {
  Result<RawCheckpoint> raw = read_packed(write_zip({{.name = "gpt2/config.json", .data = "{}"}}));
  ASSERT_FALSE(raw);
  EXPECT_THAT(raw.assume_error().message, HasSubstr("it holds 'gpt2/config.json'"));
}

}  // namespace
}  // namespace chorus::checkpoint
