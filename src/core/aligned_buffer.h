// An array of plain values, zero at first, aligned for vectors. Large ones come straight from the
// system, which gives zeros without writing them here: memory is spent, in huge pages where they
// are allowed, when and by whom it is first touched. Moves, does not copy. Not thread-safe beyond
// what the elements are.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

namespace chorus {

template <class T>
class AlignedBuffer {
  static_assert(std::is_trivial_v<T>);

 public:
  AlignedBuffer() = default;

  // `count` zeros. Throws std::bad_alloc when there is no memory.
  explicit AlignedBuffer(std::size_t count) : size_(count) {
    if (count == 0) return;
    if (count > (SIZE_MAX - 2 * kHugePage) / sizeof(T)) throw std::bad_alloc();
    if (count * sizeof(T) >= kMapped) {
      data_ = {map(count * sizeof(T)), Free{rounded(count * sizeof(T), kHugePage)}};
      return;
    }
    std::size_t bytes = rounded(count * sizeof(T), kCacheLine);
    data_.reset(static_cast<T*>(std::aligned_alloc(kCacheLine, bytes)));
    if (data_ == nullptr) throw std::bad_alloc();
    std::uninitialized_value_construct_n(data_.get(), count);
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  std::span<T> span() { return {data(), size_}; }
  std::span<const T> span() const { return {data(), size_}; }

 private:
  static constexpr std::size_t kCacheLine = 64;
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  static constexpr std::size_t kMapped = 2 * kHugePage;  // bytes; from here on by mmap

  struct Free {
    std::size_t mapped = 0;  // bytes; 0: from aligned_alloc
    void operator()(T* memory) const {
      if (mapped > 0) {
        ::munmap(memory, mapped);
      } else {
        std::free(memory);
      }
    }
  };

  static std::size_t rounded(std::size_t bytes, std::size_t unit) {
    return (bytes + unit - 1) / unit * unit;
  }

  // A huge page more than asked for is mapped, and what lies outside the aligned part given back.
  static T* map(std::size_t bytes) {
    std::size_t size = rounded(bytes, kHugePage);
    void* memory = ::mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    auto* begin = static_cast<std::byte*>(memory);
    std::size_t before = rounded(reinterpret_cast<std::uintptr_t>(begin), kHugePage) -
                         reinterpret_cast<std::uintptr_t>(begin);
    if (before > 0) ::munmap(begin, before);
    if (before < kHugePage) ::munmap(begin + before + size, kHugePage - before);
    ::madvise(begin + before, size, MADV_HUGEPAGE);  // advice: may be refused
    return reinterpret_cast<T*>(begin + before);
  }

  std::unique_ptr<T[], Free> data_;
  std::size_t size_ = 0;
};

}  // namespace chorus
