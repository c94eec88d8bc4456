#include "core/bytes.h"

#include <gtest/gtest.h>

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
