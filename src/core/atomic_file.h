// A file that appears under its name whole or not at all: it is written under a temporary name
// beside it, brought to the disk, and renamed. Not for files that are appended to. One thread at a
// time.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "chorus/error.h"

namespace chorus {

class AtomicFile {
 public:
  // Errors: kNotFound for a folder that is not there, kIo with the system's reason; also if `path`
  // exists and is not a regular file.
  static Result<AtomicFile> create(const std::string& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();  // removes the temporary file, unless commit() succeeded

  // Errors: kIo, for example when the disk is full.
  Result<void> write(std::span<const std::byte> bytes);

  // Replaces what stood under the name. Nothing can be written after it. Errors: kIo.
  Result<void> commit();

 private:
  AtomicFile(std::string path, std::string temporary, int descriptor)
      : path_(std::move(path)), temporary_(std::move(temporary)), descriptor_(descriptor) {}

  std::string path_;
  std::string temporary_;  // empty once there is nothing to remove
  int descriptor_;         // -1 once closed
};

}  // namespace chorus
