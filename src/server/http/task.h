// Coroutines of a loop: a Task is one that another awaits, start() begins one that nobody does. They
// need memory when they are called, for their frame, and at no other time: a call without it throws
// std::bad_alloc where it stands, and what waits can always be resumed and always ends. (Asio's own
// awaitable cannot promise that: what it drops for want of memory it posts to the loop, out of a
// destructor.) Frames are kept by the thread for the next ones of about their size.
//
// Thread contract: a coroutine and all that it awaits on one thread.
#pragma once

#include <array>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <new>
#include <optional>
#include <utility>

// The address sanitizer is to see the end of every frame.
#if defined(__SANITIZE_ADDRESS__)
#define CHORUS_KEEPS_FRAMES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHORUS_KEEPS_FRAMES 0
#endif
#endif
#ifndef CHORUS_KEEPS_FRAMES
#define CHORUS_KEEPS_FRAMES 1
#endif

namespace chorus::server {

// The memory of frames.
class FrameMemory {
 public:
  static void* allot(std::size_t size) {
    Kept* kept = kept_of(size);
    if (kept == nullptr || kept->count == 0) return ::operator new(rounded(size));
    return kept->frames[--kept->count];
  }
  static void free(void* frame, std::size_t size) {
    Kept* kept = kept_of(size);
    if (kept == nullptr || kept->count == kMostKept) return ::operator delete(frame);
    kept->frames[kept->count++] = frame;
  }

 private:
  static constexpr std::size_t kStep = 128, kSizes = 16, kMostKept = 8;

  struct Kept {
    std::array<void*, kMostKept> frames;
    std::size_t count = 0;
  };
  struct OfThread {
    ~OfThread() {
      for (Kept& kept : sizes) {
        while (kept.count > 0) ::operator delete(kept.frames[--kept.count]);
      }
    }
    std::array<Kept, kSizes> sizes;
  };

  static std::size_t rounded(std::size_t size) { return (size + kStep - 1) / kStep * kStep; }
  static Kept* kept_of(std::size_t size) {
    thread_local OfThread of_thread;
    std::size_t index = (size - 1) / kStep;
    return CHORUS_KEEPS_FRAMES && index < kSizes ? &of_thread.sizes[index] : nullptr;
  }
};

// What start() has begun: a stack of coroutines, of which the top one runs or waits.
class Flow {
 public:
  // Goes on until the top one waits, or all have ended. Then the flow is no more.
  void resume() {
    is_waiting_ = false;
    while (top_ && !is_waiting_) top_.resume();
    if (!top_) bottom_.destroy();
  }

  // For who suspends the top one.
  void wait() { is_waiting_ = true; }
  void push(std::coroutine_handle<> callee) { top_ = callee; }
  void pop(std::coroutine_handle<> caller) { top_ = caller; }

 private:
  friend class FlowStart;
  explicit Flow(std::coroutine_handle<> bottom) : top_(bottom), bottom_(bottom) {}

  std::coroutine_handle<> top_, bottom_;
  bool is_waiting_ = false;
};

// What is the same in the promises of all coroutines here.
class FlowPromise {
 public:
  static void* operator new(std::size_t size) { return FrameMemory::allot(size); }
  static void operator delete(void* frame, std::size_t size) { FrameMemory::free(frame, size); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  Flow* flow() const { return flow_; }

 protected:
  Flow* flow_ = nullptr;
};

class TaskPromise : public FlowPromise {
 public:
  struct FinalSuspend {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> ended) noexcept {
      ended.promise().flow()->pop(ended.promise().caller_);
    }
    void await_resume() noexcept {}
  };
  FinalSuspend final_suspend() noexcept { return {}; }
  void unhandled_exception() { failure_ = std::current_exception(); }

  template <class Promise>
  void begin(std::coroutine_handle<> own, std::coroutine_handle<Promise> caller) {
    flow_ = caller.promise().flow();
    caller_ = caller;
    flow_->push(own);
  }

 protected:
  void rethrow() {
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  std::coroutine_handle<> caller_;
  std::exception_ptr failure_;
};

template <class T>
class [[nodiscard]] Task {
 public:
  class promise_type : public TaskPromise {
   public:
    Task get_return_object() {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    template <class Value>
    void return_value(Value&& value) {
      value_.emplace(std::forward<Value>(value));
    }
    T take() {
      rethrow();
      return std::move(*value_);
    }

   private:
    std::optional<T> value_;
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> caller) noexcept {
    handle_.promise().begin(handle_, caller);
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}

  std::coroutine_handle<promise_type> handle_;
};

template <>
class Task<void>::promise_type : public TaskPromise {
 public:
  Task get_return_object() {
    return Task(std::coroutine_handle<promise_type>::from_promise(*this));
  }
  void return_void() {}
  void take() { rethrow(); }
};

// The bottom of a flow.
class FlowStart {
 public:
  class promise_type : public FlowPromise {
   public:
    FlowStart get_return_object() {
      auto handle = std::coroutine_handle<promise_type>::from_promise(*this);
      own_.emplace(Flow(handle));
      flow_ = &*own_;
      return FlowStart(*flow_);
    }
    auto final_suspend() noexcept {
      flow_->pop(nullptr);
      return std::suspend_always();
    }
    void return_void() {}
    void unhandled_exception() noexcept {}  // whoever begins a flow catches what is to be told of

   private:
    std::optional<Flow> own_;
  };

  void resume() { flow_->resume(); }

 private:
  explicit FlowStart(Flow& flow) : flow_(&flow) {}
  Flow* flow_;
};

namespace detail {
inline FlowStart flow_of(Task<void> task) { co_await std::move(task); }
}  // namespace detail

// Begins it, up to where it first waits. Throws std::bad_alloc before it has begun; what it throws
// itself is dropped.
inline void start(Task<void> task) { detail::flow_of(std::move(task)).resume(); }

}  // namespace chorus::server
