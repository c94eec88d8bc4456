// A count that every thread changes at every request and that is seldom read: in parts, each with a
// cache line of its own, so that two threads do not take turns at one.
//
// Thread contract: any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace chorus::server {

class SpreadCount {
 public:
  void add(std::int64_t difference) {
    parts_[part_of_thread()].value.fetch_add(difference, std::memory_order_relaxed);
  }
  // Exact where nobody changes it.
  std::int64_t sum() const {
    std::int64_t sum = 0;
    for (const Part& part : parts_) sum += part.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  static constexpr std::size_t kParts = 4, kCacheLine = 64;
  struct alignas(kCacheLine) Part {
    std::atomic<std::int64_t> value{0};
  };

  static std::size_t part_of_thread() {
    static std::atomic<std::size_t> threads{0};
    thread_local const std::size_t part = threads.fetch_add(1) % kParts;
    return part;
  }

  std::array<Part, kParts> parts_;
};

}  // namespace chorus::server
