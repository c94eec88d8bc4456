#include "hub/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace chorus::hub {

Result<FileLock> FileLock::acquire(const std::string& path) {
  FileLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  int result = lock.fd_ < 0 ? -1 : ::flock(lock.fd_, LOCK_EX);
  while (lock.fd_ >= 0 && result != 0 && errno == EINTR) result = ::flock(lock.fd_, LOCK_EX);
  if (result != 0) return Error{ErrorCode::kIo, path + ": " + std::strerror(errno)};
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace chorus::hub
