// A lock between processes (and threads) that lasts as long as the object, on a file that stays.
#pragma once

#include <string>

#include "chorus/error.h"

namespace chorus::hub {

class FileLock {
 public:
  // Waits until nobody else holds it. Errors: kIo.
  static Result<FileLock> acquire(const std::string& path);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace chorus::hub
