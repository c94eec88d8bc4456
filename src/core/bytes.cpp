#include "core/bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/system_error.h"

namespace chorus {
namespace {

// Closes a descriptor at the end of a scope.
struct Descriptor {
  int fd;
  explicit Descriptor(int value) : fd(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

Result<Bytes> map_file(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return system_error(path, errno);
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) return system_error(path, errno);
  if (!S_ISREG(status.st_mode)) {
    return Error{ErrorCode::kIo, path + ": not a regular file"};
  }
  auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return Bytes{path, {}, nullptr};
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (address == MAP_FAILED) return system_error(path, errno);
  std::shared_ptr<const void> owner(
      address, [size](const void* start) { ::munmap(const_cast<void*>(start), size); });
  return Bytes{path, {static_cast<const std::byte*>(address), size}, std::move(owner)};
}

Bytes copy_bytes(std::string name, std::string_view text) {
  auto owner = std::make_shared<const std::string>(text);
  std::span<const char> characters(owner->data(), owner->size());
  return Bytes{std::move(name), std::as_bytes(characters), owner};
}

}  // namespace chorus
