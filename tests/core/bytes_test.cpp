#include "core/bytes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>

namespace chorus {
namespace {

TEST(MapFile, GivesTheBytesOfTheFileAndOutlivesItsName) {
  std::string path = testing::TempDir() + "chorus_map_file";
  std::ofstream(path) << "some bytes";
  Result<Bytes> bytes = map_file(path);
  ASSERT_TRUE(bytes) << bytes.assume_error().message;
  std::filesystem::remove(path);
  Bytes copy = bytes.assume_value();
  EXPECT_EQ(copy.text(), "some bytes");
  EXPECT_EQ(copy.name, path);
}

// Pages of this process, in bytes.
std::int64_t resident_file_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::int64_t kilobytes = 0;
    if (word == "RssFile:" && status >> kilobytes) return kilobytes * 1024;
  }
  return -1;
}

TEST(ReleasePages, TakesAMappedFileOutOfMemoryAndKeepsItsBytes) {
  constexpr std::size_t kSize = 16 << 20;
  std::string path = testing::TempDir() + "chorus_release_pages";
  {
    std::ofstream file(path, std::ios::binary);
    for (std::size_t i = 0; i < kSize; ++i) file.put(static_cast<char>(i * i >> 12));
  }
  Bytes bytes = map_file(path).assume_value();
  auto check = [&] {
    for (std::size_t i = 0; i < kSize; ++i) {
      ASSERT_EQ(static_cast<char>(bytes.data[i]), static_cast<char>(i * i >> 12)) << i;
    }
  };
  check();
  std::int64_t read = resident_file_bytes();
  release_pages(bytes.data.subspan(100, kSize - 200));
  EXPECT_LT(resident_file_bytes(), read - static_cast<std::int64_t>(kSize) / 2);
  check();
  std::filesystem::remove(path);
}

TEST(ReleasePages, LeavesOtherBytesAsTheyAre) {
  Bytes bytes = copy_bytes("copy", std::string(1 << 20, 'x'));
  release_pages(bytes.data);
  EXPECT_EQ(bytes.text(), std::string(1 << 20, 'x'));
  release_pages({});
}

TEST(MapFile, MissingFileIsNotFoundByName) {
  Result<Bytes> bytes = map_file("/no/such/file");
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.assume_error().code, ErrorCode::kNotFound);
  EXPECT_EQ(bytes.assume_error().message, "/no/such/file: No such file or directory");
}

TEST(MapFile, FolderIsRefused) {
  Result<Bytes> bytes = map_file(testing::TempDir());
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.assume_error().code, ErrorCode::kIo);
}

TEST(MapFile, EmptyFileIsEmptyBytes) {
  std::string path = testing::TempDir() + "chorus_empty_file";
  std::ofstream{path};
  Result<Bytes> bytes = map_file(path);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes.assume_value().size(), 0u);
}

}  // namespace
}  // namespace chorus
