// An array of plain values, zero at first, aligned for vectors; large ones ask for huge pages.
// Moves, does not copy. Not thread-safe beyond what the elements are.
#pragma once

#include <sys/mman.h>

#include <cstddef>
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
    constexpr std::size_t kHugePage = std::size_t{2} << 20;
    if (count > (SIZE_MAX - kHugePage) / sizeof(T)) throw std::bad_alloc();
    std::size_t alignment = count * sizeof(T) >= 2 * kHugePage ? kHugePage : 64;
    std::size_t bytes = (count * sizeof(T) + alignment - 1) / alignment * alignment;
    void* memory = std::aligned_alloc(alignment, bytes);
    if (memory == nullptr) throw std::bad_alloc();
    if (alignment == kHugePage) ::madvise(memory, bytes, MADV_HUGEPAGE);  // advice: may be refused
    data_.reset(static_cast<T*>(memory));
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
  struct Free {
    void operator()(T* memory) const { std::free(memory); }
  };
  std::unique_ptr<T[], Free> data_;
  std::size_t size_ = 0;
};

}  // namespace chorus
