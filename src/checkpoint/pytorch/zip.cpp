// A zip archive is
//   { local header, name, extra, data [, data descriptor] } ...
//   { directory entry, name, extra, comment } ...
//   [ zip64 end record, zip64 locator ] end record, comment
// and is read from its end. In a directory entry or end record, a field of all ones stands for a
// 64-bit one in the entry's zip64 extra field or in the zip64 end record.
#include "checkpoint/pytorch/zip.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/crc.hpp>

#include "checkpoint/little_endian.h"
#include "core/error_text.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kEntrySignature = 0x02014b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kZip64EndSignature = 0x06064b50;
constexpr std::uint32_t kZip64LocatorSignature = 0x07064b50;
constexpr std::size_t kLocalSize = 30;
constexpr std::size_t kEntrySize = 46;
constexpr std::size_t kEndSize = 22;
constexpr std::size_t kZip64EndSize = 56;
constexpr std::size_t kZip64LocatorSize = 20;
constexpr std::size_t kLongestComment = 0xffff;
constexpr std::size_t kLongestTrailer = 16 << 20;  // bytes behind the archive that are searched
constexpr std::uint32_t kSaturated32 = 0xffffffff;
constexpr std::uint16_t kSaturated16 = 0xffff;
constexpr std::uint16_t kZip64Extra = 1;
constexpr std::uint16_t kEncrypted = 1 | 1 << 6 | 1 << 13;  // traditional, strong, masked headers
constexpr std::uint16_t kSizesFollowData = 1 << 3;

Error unsupported(std::string message) { return {ErrorCode::kUnsupported, std::move(message)}; }

Error in_member(const ZipMember& member, ErrorCode code, std::string message) {
  return Error{code, std::move(message)}.in("member " + in_quotes(member.name));
}

std::string_view text_at(std::span<const std::byte> bytes, std::size_t offset, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes.data()) + offset, size};
}

// Takes the 64-bit values of the fields of `member` that are saturated, in the format's order.
Result<void> apply_zip64_extra(std::span<const std::byte> extra, ZipMember& member) {
  std::uint64_t* fields[] = {&member.size, &member.compressed_size, &member.header_offset};
  bool needed = std::any_of(std::begin(fields), std::end(fields),
                            [](const std::uint64_t* field) { return *field == kSaturated32; });
  if (!needed) return ok();
  while (extra.size() >= 4) {
    std::uint16_t id = load_u16(extra.data());
    std::size_t size = load_u16(extra.data() + 2);
    extra = extra.subspan(4);
    if (size > extra.size()) break;
    if (id == kZip64Extra) {
      auto values = extra.first(size);
      for (std::uint64_t* field : fields) {
        if (*field != kSaturated32 || values.size() < 8) continue;
        *field = load_u64(values.data());
        values = values.subspan(8);
      }
      return ok();
    }
    extra = extra.subspan(size);
  }
  // Without the extra field the values are meant as they stand, and are checked like any other.
  return ok();
}

}  // namespace

Result<ZipArchive> ZipArchive::open(std::span<const std::byte> bytes) {
  ZipArchive archive;
  archive.bytes_ = bytes;
  CHORUS_TRY(auto directory, archive.find_directory());
  archive.bytes_ = bytes.subspan(directory.in_front);
  CHORUS_TRY(archive.read_directory(directory));
  return archive;
}

Result<ZipArchive::Directory> ZipArchive::find_directory() const {
  constexpr const char* kMissing =
      "the zip's end record (PK\\x05\\x06) is missing: the file is truncated, or not a zip archive";
  if (bytes_.size() < kEndSize) return corrupt(kMissing);
  const std::size_t last = bytes_.size() - kEndSize;
  auto is_record = [&](std::size_t place) { return load_u32(&bytes_[place]) == kEndSignature; };
  auto end_of_comment = [&](std::size_t place) { return place + load_u16(&bytes_[place + 20]); };
  // First one whose comment reaches to the end of the file, so that a signature inside it is not
  // taken; else the last one with a directory before it, and anything behind it.
  for (std::size_t i = 0; i <= std::min(last, kLongestComment); ++i) {
    if (is_record(last - i) && end_of_comment(last - i) == last) return directory_before(last - i);
  }
  for (std::size_t i = 0; i <= std::min(last, kLongestTrailer); ++i) {
    if (!is_record(last - i) || end_of_comment(last - i) > last) continue;
    auto directory = directory_before(last - i);
    if (directory && has_entry(directory.assume_value())) return directory;
  }
  return corrupt(kMissing);
}

bool ZipArchive::has_entry(const Directory& directory) const {
  return directory.size >= kEntrySize &&
         load_u32(&bytes_[directory.in_front + directory.offset]) == kEntrySignature;
}

Result<ZipArchive::Directory> ZipArchive::directory_before(std::size_t end) const {
  const std::byte* record = &bytes_[end];
  if (end >= kZip64LocatorSize &&
      load_u32(&bytes_[end - kZip64LocatorSize]) == kZip64LocatorSignature) {
    return find_zip64_directory(end);
  }
  if (load_u16(record + 4) != 0 || load_u16(record + 6) != 0 ||
      load_u16(record + 8) != load_u16(record + 10)) {
    return unsupported(fmt::format("end record at byte {}: the zip spans several disks", end));
  }
  Directory directory{load_u32(record + 16), load_u32(record + 12), load_u16(record + 10)};
  if (directory.offset > end || directory.size > end - directory.offset) {
    return corrupt(fmt::format(
        "end record at byte {}: directory of {} bytes at byte {} does not fit before it", end,
        directory.size, directory.offset));
  }
  // The directory ends where its end record begins: what it is off by are bytes in front of the
  // archive, whose offsets do not count them.
  bool begins_as_zip = load_u32(bytes_.data()) == kLocalSignature;
  directory.in_front = begins_as_zip ? 0 : end - directory.size - directory.offset;
  return directory;
}

Result<ZipArchive::Directory> ZipArchive::find_zip64_directory(std::size_t end_record) const {
  std::size_t locator = end_record - kZip64LocatorSize;
  std::uint64_t offset = load_u64(&bytes_[locator + 8]);
  if (load_u32(&bytes_[locator + 4]) != 0 || load_u32(&bytes_[locator + 16]) > 1) {
    return unsupported(
        fmt::format("zip64 locator at byte {}: the zip spans several disks", locator));
  }
  if (locator < kZip64EndSize || offset > locator - kZip64EndSize ||
      load_u32(&bytes_[offset]) != kZip64EndSignature) {
    return corrupt(
        fmt::format("zip64 locator at byte {}: no zip64 end record at byte {}", locator, offset));
  }
  const std::byte* record = &bytes_[offset];
  if (load_u32(record + 16) != 0 || load_u32(record + 20) != 0 ||
      load_u64(record + 24) != load_u64(record + 32)) {
    return unsupported(
        fmt::format("zip64 end record at byte {}: the zip spans several disks", offset));
  }
  Directory directory{load_u64(record + 48), load_u64(record + 40), load_u64(record + 32)};
  if (directory.offset > offset || directory.size > offset - directory.offset) {
    return corrupt(fmt::format(
        "zip64 end record at byte {}: directory of {} bytes at byte {} does not fit before it",
        offset, directory.size, directory.offset));
  }
  return directory;
}

Result<void> ZipArchive::read_directory(const Directory& directory) {
  directory_offset_ = directory.offset;
  if (directory.entries > directory.size / kEntrySize) {
    return corrupt(fmt::format("zip directory at byte {}: {} entries do not fit in its {} bytes",
                               directory.offset, directory.entries, directory.size));
  }
  std::size_t position = directory.offset;
  std::size_t end = directory.offset + directory.size;
  members_.reserve(directory.entries);
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    CHORUS_TRY(ZipMember member, read_entry(position, end));
    if (!index_.emplace(member.name, members_.size()).second) {
      return in_member(member, ErrorCode::kCorrupt, "stands twice in the zip directory");
    }
    members_.push_back(member);
  }
  return ok();
}

Result<ZipMember> ZipArchive::read_entry(std::size_t& position, std::size_t end) const {
  if (end - position < kEntrySize || load_u32(&bytes_[position]) != kEntrySignature) {
    return corrupt(fmt::format("zip directory: no entry at byte {}", position));
  }
  const std::byte* entry = &bytes_[position];
  std::size_t name_size = load_u16(entry + 28);
  std::size_t extra_size = load_u16(entry + 30);
  std::size_t comment_size = load_u16(entry + 32);
  if (end - position - kEntrySize < name_size + extra_size + comment_size) {
    return corrupt(fmt::format("zip directory: the entry at byte {} is cut off", position));
  }
  ZipMember member;
  member.name = text_at(bytes_, position + kEntrySize, name_size);
  member.flags = load_u16(entry + 8);
  member.method = load_u16(entry + 10);
  member.crc = load_u32(entry + 16);
  member.compressed_size = load_u32(entry + 20);
  member.size = load_u32(entry + 24);
  member.header_offset = load_u32(entry + 42);
  std::uint16_t disk = load_u16(entry + 34);
  if (disk != 0 && disk != kSaturated16) {
    return in_member(member, ErrorCode::kUnsupported, fmt::format("stands on disk {}", disk));
  }
  CHORUS_TRY(
      apply_zip64_extra(bytes_.subspan(position + kEntrySize + name_size, extra_size), member));
  position += kEntrySize + name_size + extra_size + comment_size;
  return member;
}

const ZipMember* ZipArchive::find(std::string_view name) const {
  auto found = index_.find(name);
  return found == index_.end() ? nullptr : &members_[found->second];
}

Result<std::span<const std::byte>> ZipArchive::data(const ZipMember& member) const {
  if (member.method != 0 && (member.flags & kEncrypted) == 0) {
    return in_member(member, ErrorCode::kUnsupported,
                     fmt::format("is compressed (method {}); expected data that is stored or "
                                 "deflated (methods 0 and 8): unpack the zip and pack it so",
                                 member.method));
  }
  if (member.method == 0 && member.size != member.compressed_size) {
    return in_member(member, ErrorCode::kCorrupt,
                     fmt::format("stored data of {} bytes, but a size of {}",
                                 member.compressed_size, member.size));
  }
  return stored_data(member);
}

Result<std::span<const std::byte>> ZipArchive::compressed_data(const ZipMember& member) const {
  return stored_data(member);
}

Result<std::span<const std::byte>> ZipArchive::stored_data(const ZipMember& member) const {
  auto fail = [&](ErrorCode code, std::string message) {
    return in_member(member, code, std::move(message));
  };
  if ((member.flags & kEncrypted) != 0) return fail(ErrorCode::kUnsupported, "is encrypted");
  // Members stand before the directory, so no sum below can overflow.
  std::uint64_t limit = directory_offset_;
  if (member.header_offset > limit || limit - member.header_offset < kLocalSize) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("local header at byte {} lies outside the {} bytes "
                            "before the zip directory",
                            member.header_offset, limit));
  }
  const std::byte* header = &bytes_[member.header_offset];
  std::size_t name_size = load_u16(header + 26);
  std::uint64_t start = member.header_offset + kLocalSize + name_size + load_u16(header + 28);
  if (load_u32(header) != kLocalSignature) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("no local header at byte {}", member.header_offset));
  }
  if (start > limit || member.compressed_size > limit - start) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{} bytes at byte {} lie outside the {} bytes before the zip directory",
                            member.compressed_size, start, limit));
  }
  std::uint16_t flags = load_u16(header + 6);
  std::uint32_t local_size = load_u32(header + 22);
  bool size_stated = (flags & kSizesFollowData) == 0 && local_size != kSaturated32;
  if (text_at(bytes_, member.header_offset + kLocalSize, name_size) != member.name ||
      load_u16(header + 8) != member.method || ((flags ^ member.flags) & kEncrypted) != 0 ||
      (size_stated && local_size != member.size)) {
    return fail(
        ErrorCode::kCorrupt,
        fmt::format("local header at byte {} contradicts the zip directory", member.header_offset));
  }
  return bytes_.subspan(start, member.compressed_size);
}

Result<void> ZipArchive::check_crc(const ZipMember& member, std::span<const std::byte> data) const {
  // Zero stands for none: torch.save can be told not to compute them.
  if (member.crc == 0) return ok();
  boost::crc_32_type crc;
  crc.process_bytes(data.data(), data.size());
  if (crc.checksum() == member.crc) return ok();
  return in_member(member, ErrorCode::kCorrupt,
                   fmt::format("its CRC-32 is {:08x}, but the zip directory says {:08x}",
                               crc.checksum(), member.crc));
}

}  // namespace chorus::checkpoint
