// Makes allocations fail: those with operator new and, for buffers, std::aligned_alloc, of all
// threads of this test program but those that are exempt. What the C library and C libraries allot
// with malloc() for themselves does not fail.
#pragma once

#include <cstdint>

namespace chorus::test {

// While it lives, the allocations numbered from `first` on, counted from 1, fail, `count` of them.
class FailingAllocations {
 public:
  explicit FailingAllocations(std::uint64_t first, std::uint64_t count = 1);
  ~FailingAllocations() { stop(); }
  FailingAllocations(const FailingAllocations&) = delete;
  FailingAllocations& operator=(const FailingAllocations&) = delete;

  // From now on none fails.
  void stop();
  // Whether any has failed.
  bool has_failed() const;
  // How many there were, failed or not.
  std::uint64_t count() const;
};

// The calling thread's allocations do not count, and do not fail, while it lives.
class ExemptFromFailing {
 public:
  ExemptFromFailing();
  ~ExemptFromFailing();
  ExemptFromFailing(const ExemptFromFailing&) = delete;
  ExemptFromFailing& operator=(const ExemptFromFailing&) = delete;
};

}  // namespace chorus::test
