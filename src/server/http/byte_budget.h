// How many bytes are held for all clients together: what they have sent and what they have not yet
// read. Whoever holds some takes a share of the budget first, and does without if there is none. A
// client may hold as much as is free, so one alone can take half and others always find some.
//
// Thread contract: a ByteBudget any thread; a HeldBytes one thread at a time.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace chorus::server {

class ByteBudget {
 public:
  explicit ByteBudget(std::size_t most) : most_(most) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  std::size_t held() const { return held_.load(std::memory_order_relaxed); }

 private:
  friend class HeldBytes;

  // Nothing is taken if there are not so many, or if the client would then hold more than is free
  // (null: it may).
  bool take(std::size_t bytes, const std::atomic<std::size_t>* of_client) {
    std::size_t held = held_.load(std::memory_order_relaxed);
    do {
      if (bytes > most_ || held > most_ - bytes) return false;
      std::size_t left = most_ - bytes - held;
      if (of_client != nullptr &&
          (bytes > left || of_client->load(std::memory_order_relaxed) > left - bytes)) {
        return false;
      }
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

  // `of_client`: how many the client holds in all; null: it is nobody's in particular, and may have all.
  explicit HeldBytes(ByteBudget& budget,
                     std::shared_ptr<std::atomic<std::size_t>> of_client = nullptr)
      : budget_(budget), of_client_(std::move(of_client)) {}
  ~HeldBytes() { give(taken_); }
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;

  // Makes the share one of `bytes`. False, and the share as it was, if the budget does not have them
  // for this client.
  [[nodiscard]] bool resize(std::size_t bytes) {
    std::size_t wanted = bytes / kBlock * kBlock;
    if (wanted > taken_ && !take(wanted - taken_)) return false;
    if (wanted < taken_) give(taken_ - wanted);
    taken_ = wanted;
    return true;
  }
  void clear() { (void)resize(0); }

 private:
  bool take(std::size_t bytes) {
    if (!budget_.take(bytes, of_client_.get())) return false;
    if (of_client_ != nullptr) of_client_->fetch_add(bytes, std::memory_order_relaxed);
    return true;
  }
  void give(std::size_t bytes) {
    if (of_client_ != nullptr) of_client_->fetch_sub(bytes, std::memory_order_relaxed);
    budget_.give(bytes);
  }

  ByteBudget& budget_;
  const std::shared_ptr<std::atomic<std::size_t>> of_client_;
  std::size_t taken_ = 0;
};

}  // namespace chorus::server
