// A copy of values right before memory that may not be touched, so that a kernel that reads or writes
// behind an array ends the test.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace chorus::test {

template <class T>
class BeforeNothing {
 public:
  explicit BeforeNothing(const std::vector<T>& values) {
    std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::size_t bytes = values.size() * sizeof(T);
    size_ = (bytes + page - 1) / page * page + page;
    begin_ = static_cast<std::byte*>(
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(begin_ + size_ - page, page, PROT_NONE);
    data_ = reinterpret_cast<T*>(begin_ + size_ - page - bytes);
    std::copy(values.begin(), values.end(), data_);
  }
  ~BeforeNothing() { munmap(begin_, size_); }
  BeforeNothing(const BeforeNothing&) = delete;
  BeforeNothing& operator=(const BeforeNothing&) = delete;

  T* data() { return data_; }

 private:
  std::size_t size_;
  std::byte* begin_;
  T* data_;
};

}  // namespace chorus::test
