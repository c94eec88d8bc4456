// The members of a zip archive in memory: enough of the format (PKWARE's APPNOTE 6.3, zip64
// included) for archives whose members are stored as they are, or deflated. Nothing is decompressed
// here (inflate.h does that), decrypted or copied; names and data are views into the archive's bytes. Immutable once opened: any thread
// may read.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/bytes.h"

namespace chorus::checkpoint {

struct ZipMember {
  std::string_view name;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;  // 0: stored, 8: deflated
  std::uint32_t crc = 0;     // CRC-32 of the data
  std::uint64_t compressed_size = 0;
  std::uint64_t size = 0;           // bytes, uncompressed
  std::uint64_t header_offset = 0;  // of the local header, from the start of the archive

  bool is_deflated() const { return method == 8; }
};

class ZipArchive {
 public:
  // Reads the directory at the end of `bytes`, which must outlive the archive. Other bytes may
  // follow the archive (16 MiB at most) or stand in front of it. Members are looked at only when
  // they are asked for, so one that is never used may be of any method, or encrypted.
  // Errors: kCorrupt (truncated, not a zip, entries that contradict the file, a name twice) and
  // kUnsupported (several disks); the message says where, but does not name the file.
  static Result<ZipArchive> open(std::span<const std::byte> bytes);

  const std::vector<ZipMember>& members() const { return members_; }

  // The member of this name, or null.
  const ZipMember* find(std::string_view name) const;

  // The member's data; its CRC is not checked here, as that would be a pass over the whole file.
  // Errors, with the member's name: kCorrupt (local header, sizes, range) and kUnsupported
  // (compressed or encrypted).
  Result<std::span<const std::byte>> data(const ZipMember& member) const;

  // The data of a deflated member as it lies in the archive. Errors: as data()'s.
  Result<std::span<const std::byte>> compressed_data(const ZipMember& member) const;

  // Whether `data` has the CRC-32 of the member, if the archive states one. Errors: kCorrupt.
  Result<void> check_crc(const ZipMember& member, std::span<const std::byte> data) const;

 private:
  struct Directory {
    std::uint64_t offset = 0, size = 0, entries = 0;
    std::uint64_t in_front = 0;  // bytes of the file before the archive
  };
  Result<Directory> find_directory() const;
  // The directory before a possible end record, at a byte of the file, with the offset that it
  // states: bytes in front of the archive are not taken off.
  Result<Directory> directory_before(std::size_t end_record) const;
  Result<Directory> find_zip64_directory(std::size_t end_record) const;
  // Whether an entry stands at the beginning of the directory.
  bool has_entry(const Directory& directory) const;
  Result<void> read_directory(const Directory& directory);
  // The data as it lies in the archive, of whatever method.
  Result<std::span<const std::byte>> stored_data(const ZipMember& member) const;
  // Reads the entry at `position` and moves it behind; `end` is the directory's.
  Result<ZipMember> read_entry(std::size_t& position, std::size_t end) const;

  std::span<const std::byte> bytes_;
  std::uint64_t directory_offset_ = 0;
  std::vector<ZipMember> members_;
  std::unordered_map<std::string_view, std::size_t> index_;  // name to place in members_
};

}  // namespace chorus::checkpoint
