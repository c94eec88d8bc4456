#include "core/bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>

#include "core/memory.h"
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

// The files that are mapped now. Any thread.
class MappedFiles {
 public:
  void add(const std::byte* begin, std::size_t size) {
    std::lock_guard lock(mutex_);
    sizes_.emplace(begin, size);
  }
  void remove(const std::byte* begin) {
    std::lock_guard lock(mutex_);
    sizes_.erase(begin);
  }
  // Calls `use` if all of `data` is part of one of them, which stays mapped meanwhile.
  template <class Use>
  void with(std::span<const std::byte> data, Use use) {
    std::lock_guard lock(mutex_);
    auto behind = sizes_.upper_bound(data.data());
    if (behind == sizes_.begin()) return;
    auto [begin, size] = *std::prev(behind);
    if (data.data() + data.size() <= begin + size) use();
  }

 private:
  std::mutex mutex_;
  std::map<const std::byte*, std::size_t> sizes_;  // by their begin
};

MappedFiles& mapped_files() {
  static auto* files = new MappedFiles;  // outlives every static that holds a file
  return *files;
}

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
  if (address == MAP_FAILED && errno == ENOMEM) {
    return Error{ErrorCode::kOutOfMemory, path + ": not enough memory to map its " +
                                              megabytes_text(size) + ": " + describe_memory()};
  }
  if (address == MAP_FAILED) return system_error(path, errno);
  const auto* begin = static_cast<const std::byte*>(address);
  mapped_files().add(begin, size);
  std::shared_ptr<const void> owner(address, [begin, size](const void* start) {
    mapped_files().remove(begin);
    ::munmap(const_cast<void*>(start), size);
  });
  return Bytes{path, {begin, size}, std::move(owner)};
}

void release_pages(std::span<const std::byte> data) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  auto first = reinterpret_cast<std::uintptr_t>(data.data());
  std::uintptr_t begin = (first + page - 1) / page * page;
  std::uintptr_t end = (first + data.size()) / page * page;
  if (end <= begin) return;
  mapped_files().with(data, [&] {
    // Advice: that it may fail changes nothing but how much memory is held.
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  });
}

Bytes copy_bytes(std::string name, std::string_view text) {
  auto owner = std::make_shared<const std::string>(text);
  std::span<const char> characters(owner->data(), owner->size());
  return Bytes{std::move(name), std::as_bytes(characters), owner};
}

}  // namespace chorus
