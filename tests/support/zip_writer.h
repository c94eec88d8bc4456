// Writes small zip archives, right ones and ones with a single thing wrong.
#pragma once

#include <boost/crc.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace chorus::test {

using namespace std::string_literals;

inline std::string little_endian(std::uint64_t value, std::size_t size) {
  std::string result;
  for (std::size_t i = 0; i < size; ++i) result += static_cast<char>(value >> (8 * i) & 0xff);
  return result;
}

struct ZipEntry {
  std::string name;
  std::string data;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint16_t disk = 0;
  // Of the data before its compression; by default those of `data`.
  std::optional<std::uint32_t> crc = {};
  std::optional<std::uint64_t> size = {};
};

struct ZipOptions {
  bool zip64 = false;  // sizes and offsets in the 64-bit fields only
  std::string comment = {};
};

inline std::uint32_t crc32(std::string_view data) {
  boost::crc_32_type crc;
  crc.process_bytes(data.data(), data.size());
  return crc.checksum();
}

inline std::string local_header(const ZipEntry& entry) {
  std::string packed = little_endian(entry.data.size(), 4);
  std::string size = little_endian(entry.size.value_or(entry.data.size()), 4);
  return "PK\x03\x04"s + little_endian(20, 2) + little_endian(entry.flags, 2) +
         little_endian(entry.method, 2) + little_endian(0, 4) +
         little_endian(entry.crc.value_or(crc32(entry.data)), 4) + packed + size +
         little_endian(entry.name.size(), 2) + little_endian(0, 2) + entry.name;
}

inline std::string directory_entry(const ZipEntry& entry, std::uint64_t offset, bool zip64) {
  const std::uint64_t unpacked = entry.size.value_or(entry.data.size());
  std::string packed = little_endian(zip64 ? 0xffffffff : entry.data.size(), 4);
  std::string size = little_endian(zip64 ? 0xffffffff : unpacked, 4);
  std::string extra;
  if (zip64) {
    std::string size64 = little_endian(unpacked, 8);
    std::string packed64 = little_endian(entry.data.size(), 8);
    // Another extra field in front, which a reader must pass over.
    extra = little_endian(0x4246, 2) + little_endian(3, 2) + "pad"s + little_endian(1, 2) +
            little_endian(24, 2) + size64 + packed64 + little_endian(offset, 8);
  }
  return "PK\x01\x02"s + little_endian(45, 2) + little_endian(20, 2) +
         little_endian(entry.flags, 2) + little_endian(entry.method, 2) + little_endian(0, 4) +
         little_endian(entry.crc.value_or(crc32(entry.data)), 4) + packed + size +
         little_endian(entry.name.size(), 2) + little_endian(extra.size(), 2) +
         little_endian(0, 2) + little_endian(entry.disk, 2) + little_endian(0, 2) +
         little_endian(0, 4) + little_endian(zip64 ? 0xffffffff : offset, 4) + entry.name + extra;
}

inline std::string write_zip(const std::vector<ZipEntry>& entries, const ZipOptions& options = {}) {
  std::string file, directory;
  for (const ZipEntry& entry : entries) {
    directory += directory_entry(entry, file.size(), options.zip64);
    file += local_header(entry) + entry.data;
  }
  std::size_t start = file.size();
  file += directory;
  if (options.zip64) {
    std::size_t record = file.size();
    file += "PK\x06\x06"s + little_endian(44, 8) + little_endian(45, 2) + little_endian(45, 2) +
            little_endian(0, 8) + little_endian(entries.size(), 8) +
            little_endian(entries.size(), 8) + little_endian(directory.size(), 8) +
            little_endian(start, 8);
    file += "PK\x06\x07"s + little_endian(0, 4) + little_endian(record, 8) + little_endian(1, 4);
  }
  std::string count = little_endian(options.zip64 ? 0xffff : entries.size(), 2);
  file += "PK\x05\x06"s + little_endian(0, 4) + count + count +
          little_endian(options.zip64 ? 0xffffffff : directory.size(), 4) +
          little_endian(options.zip64 ? 0xffffffff : start, 4) +
          little_endian(options.comment.size(), 2) + options.comment;
  return file;
}

}  // namespace chorus::test
