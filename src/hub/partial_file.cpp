#include "hub/partial_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

namespace chorus::hub {

PartialFile::PartialFile(PartialFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      origin_(std::move(other.origin_)) {}

PartialFile::~PartialFile() {
  if (fd_ >= 0) ::close(fd_);
}

Error PartialFile::system_error(const std::string& path) const {
  return {ErrorCode::kIo, path + ": " + std::strerror(errno)};
}

Result<PartialFile> PartialFile::open(const std::string& path) {
  PartialFile file(path);
  file.fd_ = ::open(file.partial_path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  struct stat status {};
  if (file.fd_ < 0 || ::fstat(file.fd_, &status) != 0)
    return file.system_error(file.partial_path());
  file.size_ = static_cast<std::uint64_t>(status.st_size);
  file.read_origin();
  bool too_long = file.origin_.size && file.size_ > *file.origin_.size;
  if (file.size_ > 0 && (file.origin_.etag.empty() || too_long)) {
    CHORUS_TRY(file.restart({}));
  }
  return file;
}

// Three lines: etag, validator, size (or nothing). Anything else reads as an unknown origin.
void PartialFile::read_origin() {
  std::ifstream input(partial_path() + ".source");
  Origin origin;
  std::string size;
  if (!std::getline(input, origin.etag) || !std::getline(input, origin.validator) ||
      !std::getline(input, size)) {
    return;
  }
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), value);
  if (error == std::errc() && end == size.data() + size.size()) origin.size = value;
  origin_ = std::move(origin);
}

Result<void> PartialFile::write_origin() const {
  std::string path = partial_path() + ".source";
  errno = 0;
  std::ofstream output(path, std::ios::trunc);
  output << origin_.etag << '\n' << origin_.validator << '\n';
  if (origin_.size) output << *origin_.size;
  output << '\n' << std::flush;
  if (!output) return system_error(path);
  return ok();
}

Result<void> PartialFile::restart(Origin origin) {
  if (::ftruncate(fd_, 0) != 0) return system_error(partial_path());
  size_ = 0;
  origin_ = std::move(origin);
  return write_origin();
}

Result<void> PartialFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error(partial_path());
    size_ += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return ok();
}

Result<void> PartialFile::publish() {
  // Without this a power cut could leave a file of the right name with the wrong bytes.
  if (::fsync(fd_) != 0) return system_error(partial_path());
  if (std::rename(partial_path().c_str(), path_.c_str()) != 0) return system_error(path_);
  ::unlink((partial_path() + ".source").c_str());
  return ok();
}

}  // namespace chorus::hub
