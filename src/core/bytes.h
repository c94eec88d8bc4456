// A read-only run of bytes together with what keeps it alive: a mapped file, a buffer, or nothing
// for bytes that live as long as the program. Copies share the owner; any thread may read.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "chorus/error.h"

namespace chorus {

struct Bytes {
  std::string name;  // for messages: a path, or what the bytes are
  std::span<const std::byte> data;
  std::shared_ptr<const void> owner;

  std::size_t size() const { return data.size(); }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(data.data()), data.size()};
  }
};

// Maps the file `path` read-only. An empty file gives empty bytes.
// Errors: kNotFound, kIo (with the system's reason; also for a directory).
Result<Bytes> map_file(const std::string& path);

// Takes the pages of `data` out of this process's memory if it is part of a mapped file; reading them
// brings them back from the file or the system's cache of it. Other bytes stay as they are. For those
// who read a large file from begin to end, so that it is not all in memory beside what is made of it.
void release_pages(std::span<const std::byte> data);

// Bytes that own a copy of `text`; for tests and fuzzers.
Bytes copy_bytes(std::string name, std::string_view text);

}  // namespace chorus
