// Result<T, E>: a T or an E, which says why there is no T. The interface is a part of
// Boost.Outcome's basic_result, by the same names, but needs no library.
//
// Not for exceptions: nothing here throws. Values are plain data; they may cross threads.
#pragma once

#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <utility>
#include <variant>

namespace chorus {

struct Error;

// What ok() gives: a Result<void> that has succeeded.
struct Ok {};

namespace detail {

// Reading a value that is not there is the caller's mistake, and ends the program; the error, which
// the caller has not looked at, is the best explanation that there is.
template <class E>
[[noreturn]] void end_without_value(const E& error) {
  if constexpr (requires { error.message.c_str(); }) {
    std::fprintf(stderr, "chorus: the value of a failed Result was read; its error: %s\n",
                 error.message.c_str());
  } else {
    std::fputs("chorus: the value of a failed Result was read\n", stderr);
  }
  std::abort();
}

[[noreturn]] inline void end_without_error() {
  std::fputs("chorus: the error of a Result that has a value was read\n", stderr);
  std::abort();
}

}  // namespace detail

template <class T, class E = Error>
class [[nodiscard]] Result {
  using Value = std::conditional_t<std::is_void_v<T>, Ok, T>;

 public:
  using value_type = T;
  using error_type = E;

  // From anything that becomes a T, or an E, by itself; nothing may become both.
  template <class U>
  requires(!std::same_as<std::remove_cvref_t<U>, Result> && std::convertible_to<U, Value> &&
           !std::convertible_to<U, E>) Result(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}
  template <class U>
  requires(!std::same_as<std::remove_cvref_t<U>, Result> && std::convertible_to<U, E> &&
           !std::convertible_to<U, Value>) Result(U&& error)
      : state_(std::in_place_index<1>, std::forward<U>(error)) {}

  bool has_value() const { return state_.index() == 0; }
  bool has_error() const { return !has_value(); }
  explicit operator bool() const { return has_value(); }

  // The value of a Result that has one: test it first.
  decltype(auto) value() & { return read(*this); }
  decltype(auto) value() const& { return read(*this); }
  decltype(auto) value() && { return read(std::move(*this)); }
  decltype(auto) assume_value() & { return read(*this); }
  decltype(auto) assume_value() const& { return read(*this); }
  decltype(auto) assume_value() && { return read(std::move(*this)); }

  // The error of a Result that has one.
  E& error() & { return read_error(*this); }
  const E& error() const& { return read_error(*this); }
  E&& error() && { return std::move(read_error(*this)); }
  E& assume_error() & { return read_error(*this); }
  const E& assume_error() const& { return read_error(*this); }
  E&& assume_error() && { return std::move(read_error(*this)); }

 private:
  template <class Self>
  static decltype(auto) read(Self&& self) {
    auto* value = std::get_if<0>(&self.state_);
    if (value == nullptr) detail::end_without_value(*std::get_if<1>(&self.state_));
    if constexpr (std::is_void_v<T>) {
      return;
    } else if constexpr (std::is_lvalue_reference_v<Self>) {
      return (*value);
    } else {
      return std::move(*value);
    }
  }

  template <class Self>
  static auto& read_error(Self& self) {
    auto* error = std::get_if<1>(&self.state_);
    if (error == nullptr) detail::end_without_error();
    return *error;
  }

  std::variant<Value, E> state_;
};

// `return ok();` ends a function that returns Result<void>.
inline Ok ok() { return {}; }

}  // namespace chorus

//   CHORUS_TRY(auto x, f());  assigns the value of f(), or returns its error from this function
//   CHORUS_TRY(f());          the same of a Result<void>
// (With up to seven commas in all.)
#define CHORUS_TRY(...)                                                                          \
  CHORUS_DETAIL_PICK(__VA_ARGS__, CHORUS_DETAIL_SET, CHORUS_DETAIL_SET, CHORUS_DETAIL_SET,       \
                     CHORUS_DETAIL_SET, CHORUS_DETAIL_SET, CHORUS_DETAIL_SET, CHORUS_DETAIL_SET, \
                     CHORUS_DETAIL_DO, )                                                         \
  (CHORUS_DETAIL_UNIQUE(__COUNTER__), __VA_ARGS__)

#define CHORUS_DETAIL_PICK(a, b, c, d, e, f, g, h, picked, ...) picked
#define CHORUS_DETAIL_UNIQUE(number) CHORUS_DETAIL_JOIN(chorus_result_, number)
#define CHORUS_DETAIL_JOIN(left, right) left##right
#define CHORUS_DETAIL_DO(result, ...) \
  auto&& result = (__VA_ARGS__);      \
  if (!result) return std::forward<decltype(result)>(result).assume_error()
#define CHORUS_DETAIL_SET(result, target, ...) \
  CHORUS_DETAIL_DO(result, __VA_ARGS__);       \
  target = std::forward<decltype(result)>(result).assume_value()
