// Room for one function that is posted to a loop, so that to post it needs no memory: what must
// happen even when there is none, such as waking whoever waits.
//
// Thread contract: one function at a time; the next may be posted once it has begun to run.
#pragma once

#include <boost/asio/execution.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/require.hpp>
#include <cstddef>
#include <new>
#include <utility>

namespace chorus::server {

class HandlerSlot {
 public:
  HandlerSlot() = default;
  HandlerSlot(const HandlerSlot&) = delete;
  HandlerSlot& operator=(const HandlerSlot&) = delete;

  // Runs `function` on the context's thread, later. It must keep alive what holds the slot.
  template <class Function>
  void post(const boost::asio::io_context::executor_type& executor, Function function) {
    namespace asio = boost::asio;
    asio::prefer(asio::require(executor, asio::execution::blocking.never),
                 asio::execution::allocator(Allocator<Function>(*this)))
        .execute(std::move(function));
  }

 private:
  static constexpr std::size_t kSize = 128;

  template <class T>
  class Allocator {
   public:
    using value_type = T;
    explicit Allocator(HandlerSlot& slot) : slot_(&slot) {}
    template <class U>
    Allocator(const Allocator<U>& other) : slot_(other.slot_) {}

    T* allocate(std::size_t count) {
      static_assert(sizeof(T) <= kSize && alignof(T) <= alignof(std::max_align_t));
      if (count != 1) throw std::bad_alloc();
      return reinterpret_cast<T*>(slot_->room_);
    }
    void deallocate(T*, std::size_t) {}
    bool operator==(const Allocator&) const = default;

   private:
    template <class U>
    friend class Allocator;
    HandlerSlot* slot_;
  };

  alignas(std::max_align_t) std::byte room_[kSize];
};

}  // namespace chorus::server
