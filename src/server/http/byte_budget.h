// How many bytes are held for all clients together: what they have sent and what they have not yet
// read. Whoever holds some takes a share of the budget first, and does without if there is none.
//
// Thread contract: a ByteBudget any thread; a HeldBytes one thread at a time.
#pragma once

#include <atomic>
#include <cstddef>

namespace chorus::server {

class ByteBudget {
 public:
  explicit ByteBudget(std::size_t most) : most_(most) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  std::size_t held() const { return held_.load(std::memory_order_relaxed); }

 private:
  friend class HeldBytes;

  // Nothing is taken if there are not so many.
  bool take(std::size_t bytes) {
    std::size_t held = held_.load(std::memory_order_relaxed);
    do {
      if (bytes > most_ || held > most_ - bytes) return false;
    } while (!held_.compare_exchange_weak(held, held + bytes, std::memory_order_relaxed));
    return true;
  }
  void give(std::size_t bytes) { held_.fetch_sub(bytes, std::memory_order_relaxed); }

  const std::size_t most_;
  std::atomic<std::size_t> held_{0};
};

// A share of a budget; given back at its end.
class HeldBytes {
 public:
  // Shares are counted in whole blocks: fewer bytes are not worth an atomic operation.
  static constexpr std::size_t kBlock = 16 * 1024;

  explicit HeldBytes(ByteBudget& budget) : budget_(budget) {}
  ~HeldBytes() { budget_.give(taken_); }
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;

  // Makes the share one of `bytes`. False, and the share as it was, if the budget does not have them.
  [[nodiscard]] bool resize(std::size_t bytes) {
    std::size_t wanted = bytes / kBlock * kBlock;
    if (wanted > taken_ && !budget_.take(wanted - taken_)) return false;
    if (wanted < taken_) budget_.give(taken_ - wanted);
    taken_ = wanted;
    return true;
  }
  void clear() { (void)resize(0); }

 private:
  ByteBudget& budget_;
  std::size_t taken_ = 0;
};

}  // namespace chorus::server
