#include "core/atomic_file.h"

#include <gtest/gtest.h>

#include <string_view>

#include "support/scratch_folder.h"

namespace chorus {
namespace {

using test::ScratchFolder;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(AtomicFile, AppearsWholeAtCommitAndReplacesWhatWasThere) {
  ScratchFolder folder;
  std::string path = folder.write("file", "old");
  {
    auto file = AtomicFile::create(path);
    ASSERT_TRUE(file) << file.assume_error().message;
    ASSERT_TRUE(file.assume_value().write(bytes_of("new ")));
    ASSERT_TRUE(file.assume_value().write(bytes_of("text")));
    EXPECT_EQ(test::read_file(path), "old");
    ASSERT_TRUE(file.assume_value().commit());
    EXPECT_EQ(test::read_file(path), "new text");
  }
  EXPECT_EQ(test::read_file(path), "new text");
  EXPECT_EQ(folder.file_count(), 1u);
}

TEST(AtomicFile, LeavesNothingWithoutCommit) {
  ScratchFolder folder;
  {
    auto file = AtomicFile::create(folder.file("file"));
    ASSERT_TRUE(file);
    ASSERT_TRUE(file.assume_value().write(bytes_of("text")));
    EXPECT_EQ(folder.file_count(), 1u);
  }
  EXPECT_EQ(folder.file_count(), 0u);
}

TEST(AtomicFile, TwoAtOnceDoNotMix) {
  ScratchFolder folder;
  auto first = AtomicFile::create(folder.file("file"));
  auto second = AtomicFile::create(folder.file("file"));
  ASSERT_TRUE(first);
  ASSERT_TRUE(second);
  ASSERT_TRUE(first.assume_value().write(bytes_of("first")));
  ASSERT_TRUE(second.assume_value().write(bytes_of("second")));
  ASSERT_TRUE(second.assume_value().commit());
  ASSERT_TRUE(first.assume_value().commit());
  EXPECT_EQ(test::read_file(folder.file("file")), "first");
}

TEST(AtomicFile, RefusesFoldersDevicesAndMissingFolders) {
  ScratchFolder folder;
  auto missing = AtomicFile::create(folder.file("no/file"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.assume_error().code, ErrorCode::kNotFound);
  EXPECT_EQ(missing.assume_error().message, folder.file("no/file") + ": No such file or directory");
  for (const std::string& path : {folder.path(), std::string("/dev/null")}) {
    auto file = AtomicFile::create(path);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.assume_error().message, path + ": not a regular file");
  }
}

}  // namespace
}  // namespace chorus
