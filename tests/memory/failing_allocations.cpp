#include "memory/failing_allocations.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::uint64_t> counted{0}, first_failing{0}, end_of_failing{0}, failed{0};
std::atomic<bool> is_counting{false};
thread_local int exemptions = 0;

bool fails() {
  if (!is_counting.load(std::memory_order_relaxed) || exemptions > 0) return false;
  std::uint64_t number = ++counted;
  if (number < first_failing || number >= end_of_failing) return false;
  ++failed;
  return true;
}

void* allot(std::size_t size, std::size_t alignment) {
  if (fails()) return nullptr;
  if (size == 0) size = 1;
  return alignment == 0 ? std::malloc(size) : ::memalign(alignment, size);
}

void* allot_or_throw(std::size_t size, std::size_t alignment = 0) {
  void* memory = allot(size, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// GCC sees free() of what operator new gave, which is malloc()'s here.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

void* operator new(std::size_t size) { return allot_or_throw(size); }
void* operator new[](std::size_t size) { return allot_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allot(size, 0); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allot(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allot_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allot_or_throw(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return allot(size, alignment);
}
#endif

namespace chorus::test {

FailingAllocations::FailingAllocations(std::uint64_t first, std::uint64_t count) {
  counted = failed = 0;
  first_failing = first;
  end_of_failing = first + count;
  is_counting = true;
}

void FailingAllocations::stop() { is_counting = false; }
bool FailingAllocations::has_failed() const { return failed > 0; }
std::uint64_t FailingAllocations::count() const { return counted; }

ExemptFromFailing::ExemptFromFailing() { ++exemptions; }
ExemptFromFailing::~ExemptFromFailing() { --exemptions; }

}  // namespace chorus::test
