#include "checkpoint/pytorch/zip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/zip_writer.h"

namespace chorus::checkpoint {
namespace {

using namespace std::string_literals;

using test::little_endian;
using test::write_zip;
using test::ZipEntry;
using testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<ZipEntry> two_members() {
  return {{.name = "a/one", .data = "first"}, {.name = "a/two", .data = ""}};
}

// Replaces the bytes at the place, counted from the first (or last) appearance of `anchor`.
std::string patched(std::string file, const std::string& anchor, std::size_t offset,
                    const std::string& bytes, bool last = false) {
  std::size_t at = last ? file.rfind(anchor) : file.find(anchor);
  return file.replace(at + offset, bytes.size(), bytes);
}

Result<std::span<const std::byte>> checked_data(const ZipArchive& zip, const ZipMember& member) {
  CHORUS_TRY(auto data, zip.data(member));
  CHORUS_TRY(zip.check_crc(member, data));
  return data;
}

void expect_members_read(const std::string& file) {
  Result<ZipArchive> archive = ZipArchive::open(bytes_of(file));
  ASSERT_TRUE(archive) << archive.assume_error().message;
  const ZipArchive& zip = archive.assume_value();
  ASSERT_EQ(zip.members().size(), 2u);
  const ZipMember* one = zip.find("a/one");
  ASSERT_NE(one, nullptr);
  auto data = checked_data(zip, *one);
  ASSERT_TRUE(data) << data.assume_error().message;
  EXPECT_EQ(text_of(data.assume_value()), "first");
  auto empty = zip.data(*zip.find("a/two"));
  ASSERT_TRUE(empty) << empty.assume_error().message;
  EXPECT_TRUE(empty.assume_value().empty());
  EXPECT_EQ(zip.find("a/three"), nullptr);
}

TEST(Zip, FindsMembersByName) { expect_members_read(write_zip(two_members())); }

TEST(Zip, ReadsSizesAndOffsetsFromZip64Fields) {
  expect_members_read(write_zip(two_members(), {.zip64 = true}));
}

TEST(Zip, FindsTheDirectoryBehindAComment) {
  expect_members_read(write_zip(two_members(), {.comment = std::string(65535, 'c')}));
  // A comment that looks like an end record, but does not reach the end of the file.
  expect_members_read(
      write_zip(two_members(), {.comment = std::string("PK\x05\x06") + std::string(40, 'x')}));
}

TEST(Zip, BytesMayFollowTheArchiveOrStandInFrontOfIt) {
  const std::string good = write_zip(two_members());
  expect_members_read(good + "x");
  expect_members_read(good + std::string(100000, 'x'));
  expect_members_read(good + "PK\x05\x06" + std::string(1000, 'x'));
  expect_members_read(write_zip(two_members(), {.zip64 = true}) + std::string(1000, '\0'));
  expect_members_read(write_zip(two_members(), {.comment = "c"}) + "xyz");
  expect_members_read("#!/bin/sh\n" + good);
}

TEST(Zip, EmptyArchiveHasNoMembers) {
  std::string file = write_zip({});
  Result<ZipArchive> archive = ZipArchive::open(bytes_of(file));
  ASSERT_TRUE(archive) << archive.assume_error().message;
  EXPECT_TRUE(archive.assume_value().members().empty());
}

TEST(Zip, LocalSizesMayFollowTheData) {
  std::string file = write_zip({{.name = "a", .data = "data", .flags = 8}});
  file = patched(file, "PK\x03\x04", 14, std::string(12, '\0'));
  Result<ZipArchive> archive = ZipArchive::open(bytes_of(file));
  ASSERT_TRUE(archive) << archive.assume_error().message;
  EXPECT_TRUE(archive.assume_value().data(archive.assume_value().members()[0]));
}

TEST(Zip, UnusedMembersMayBeCompressedOrEncrypted) {
  std::string file = write_zip({{.name = "a", .data = "x", .flags = 1},
                                {.name = "b", .data = "x", .method = 8},
                                {.name = "c", .data = "x"}});
  Result<ZipArchive> archive = ZipArchive::open(bytes_of(file));
  ASSERT_TRUE(archive) << archive.assume_error().message;
  EXPECT_TRUE(archive.assume_value().data(*archive.assume_value().find("c")));
}

TEST(Zip, AMissingCrcIsNotAWrongOne) {
  std::string file =
      patched(write_zip({{.name = "a", .data = "data"}}), "PK\x01\x02", 16, std::string(4, '\0'));
  Result<ZipArchive> archive = ZipArchive::open(bytes_of(file));
  ASSERT_TRUE(archive) << archive.assume_error().message;
  const ZipArchive& zip = archive.assume_value();
  EXPECT_TRUE(checked_data(zip, zip.members()[0]));
}

struct WrongZip {
  const char* name;
  std::string file;
  ErrorCode code;
  const char* message;
};

// Opens the archive and asks for the data of all its members.
Result<void> read_all(const std::string& file) {
  CHORUS_TRY(ZipArchive zip, ZipArchive::open(bytes_of(file)));
  for (const ZipMember& member : zip.members()) {
    CHORUS_TRY(checked_data(zip, member));
  }
  return ok();
}

std::vector<WrongZip> wrong_zips() {
  const auto kCorrupt = ErrorCode::kCorrupt;
  const auto kUnsupported = ErrorCode::kUnsupported;
  const std::string local = "PK\x03\x04", entry = "PK\x01\x02", end = "PK\x05\x06";
  const std::string locator = "PK\x06\x07", end64 = "PK\x06\x06";
  const std::string good = write_zip(two_members());
  const std::string good64 = write_zip(two_members(), {.zip64 = true});
  const std::string huge = std::string(8, '\xff');
  return {
      {"Empty", "", kCorrupt, "truncated, or not a zip"},
      {"NotAZip", std::string(100, 'x'), kCorrupt, "truncated, or not a zip"},
      {"TruncatedByOne", good.substr(0, good.size() - 1), kCorrupt, "truncated, or not a zip"},
      {"TruncatedInTheData", good.substr(0, 37), kCorrupt, "truncated, or not a zip"},
      {"BytesAfterTheEnd", good + std::string((16 << 20) + 1, 'x'), kCorrupt,
       "truncated, or not a zip"},
      {"AnotherEndBehindTheEnd", std::string(40, 'x') + good.substr(good.size() - 22), kCorrupt,
       "does not fit before it"},
      {"SecondDisk", patched(good, end, 4, "\x01"), kUnsupported, "several disks"},
      {"EntriesOnOtherDisks", patched(good, end, 8, "\x01"), kUnsupported, "several disks"},
      {"MemberOnOtherDisk", write_zip({{.name = "a", .data = "", .disk = 3}}), kUnsupported,
       "member 'a': stands on disk 3"},
      {"Zip64SecondDisk", patched(good64, locator, 16, "\x02"), kUnsupported, "several disks"},
      {"Zip64RecordOnOtherDisk", patched(good64, end64, 16, "\x01"), kUnsupported, "several disks"},
      {"DirectoryTooLong", patched(good, end, 12, "\xff"), kCorrupt,
       "directory of 255 bytes at byte 75 does not fit"},
      {"DirectoryOutside", patched(good, end, 16, "\xff\xff\xff\x7f"), kCorrupt, "does not fit"},
      {"Zip64RecordOutside", patched(good64, locator, 8, huge), kCorrupt, "no zip64 end record"},
      {"Zip64RecordMissing", patched(good64, locator, 8, little_endian(0, 8)), kCorrupt,
       "no zip64 end record at byte 0"},
      {"Zip64DirectoryOverflows", patched(good64, end64, 48, huge), kCorrupt, "does not fit"},
      {"Zip64DirectorySizeOverflows", patched(good64, end64, 40, huge), kCorrupt, "does not fit"},
      {"TooManyEntries", patched(good, end, 8, "\xff\x01\xff\x01"), kCorrupt,
       "511 entries do not fit"},
      {"Zip64TooManyEntries", patched(good64, end64, 24, huge + huge), kCorrupt, "do not fit"},
      {"NoEntrySignature", patched(good, entry, 0, "XX"), kCorrupt, "no entry at byte 75"},
      {"EntryNameTooLong", patched(good, entry, 28, "\xff\xff"), kCorrupt,
       "entry at byte 75 is cut off"},
      {"SameNameTwice", write_zip({{.name = "a", .data = "1"}, {.name = "a", .data = "2"}}),
       kCorrupt, "member 'a': stands twice"},
      {"Encrypted", write_zip({{.name = "a", .data = "1", .flags = 1}}), kUnsupported,
       "member 'a': is encrypted"},
      {"Deflated", write_zip({{.name = "a", .data = "1", .method = 8}}), kUnsupported,
       "member 'a': is compressed (method 8); expected data that is stored"},
      {"StoredSizesDiffer", patched(good, entry, 24, "\x04"), kCorrupt,
       "member 'a/one': stored data of 5 bytes, but a size of 4"},
      {"DataTooLong", patched(good, entry, 20, "\xff\xff\xff\x7f\xff\xff\xff\x7f"), kCorrupt,
       "2147483647 bytes at byte 35 lie outside the 75 bytes"},
      {"Zip64DataOverflows", patched(good64, std::string("\x18\x00", 2), 2, huge + huge), kCorrupt,
       "lie outside"},
      {"Zip64OffsetOverflows", patched(good64, std::string("\x18\x00", 2), 18, huge), kCorrupt,
       "local header at byte 18446744073709551615 lies outside"},
      {"LocalHeaderOutside", patched(good, entry, 42, "\xff\xff"), kCorrupt,
       "local header at byte 65535 lies outside"},
      {"LocalHeaderMissing", patched(good, entry, 42, "\x01"), kCorrupt,
       "no local header at byte 1"},
      {"LocalNameDiffers", patched(good, local, 30, "b"), kCorrupt, "contradicts"},
      {"LocalMethodDiffers", patched(good, local, 8, "\x08"), kCorrupt, "contradicts"},
      {"LocalSaysEncrypted", patched(good, local, 6, "\x01"), kCorrupt, "contradicts"},
      {"LocalSizeDiffers", patched(good, local, 22, "\x06"), kCorrupt, "contradicts"},
      {"LocalExtraTooLong", patched(good, local, 28, "\xff\xff"), kCorrupt, "lie outside"},
      {"WrongCrc", patched(good, "first", 0, "F"), kCorrupt, "member 'a/one': its CRC-32 is"},
  };
}

TEST(Zip, EveryWrongArchiveIsRefusedWithItsReason) {
  for (const WrongZip& wrong : wrong_zips()) {
    SCOPED_TRACE(wrong.name);
    Result<void> read = read_all(wrong.file);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.assume_error().code, wrong.code) << read.assume_error().message;
    EXPECT_THAT(read.assume_error().message, HasSubstr(wrong.message));
  }
}

TEST(Zip, EveryTruncationIsRefused) {
  for (const std::string& good :
       {write_zip(two_members()), write_zip(two_members(), {true, "c"})}) {
    for (std::size_t size = 0; size < good.size(); ++size) {
      EXPECT_FALSE(ZipArchive::open(bytes_of(good.substr(0, size)))) << size;
    }
  }
}

}  // namespace
}  // namespace chorus::checkpoint
