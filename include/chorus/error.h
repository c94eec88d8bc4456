// Recoverable errors are values: a function that can fail returns Result<T>, and the caller either
// handles the Error or passes it on with BOOST_OUTCOME_TRY. Nothing below the command line prints
// or aborts. Values are plain data; they may cross threads.
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/outcome/success_failure.hpp>
#include <boost/outcome/try.hpp>
#include <string>
#include <utility>

namespace chorus {

enum class ErrorCode {
  kInvalidArgument,  // the caller asked for something that cannot be done
  kNotFound,         // no such file, model or name
  kCorrupt,          // a file or stream breaks its format's rules
  kUnsupported,      // well-formed, but not something that Chorus does
  kIo,               // the operating system refused: its reason is in the message
  kNetwork,          // a transfer failed
  kOverloaded,       // as much is waiting already as may wait: try again later
  kUnavailable,      // the engine is going away
};

struct [[nodiscard]] Error {
  ErrorCode code;
  std::string message;  // what was wrong, where, and what was expected; one line, no full stop

  // The same error, with the place it happened put in front: "PLACE: message".
  Error in(const std::string& place) && { return {code, place + ": " + message}; }
};

// A T or an Error. Reading the value of a failed result terminates the program: test it first.
template <class T>
using Result = boost::outcome_v2::basic_result<T, Error, boost::outcome_v2::policy::terminate>;

// `return ok();` ends a function that returns Result<void>.
inline auto ok() { return boost::outcome_v2::success(); }

}  // namespace chorus

//   CHORUS_TRY(auto x, f());  assigns the value of f() or returns its error
//   CHORUS_TRY(f());          the same of a Result<void>
#define CHORUS_TRY(...) BOOST_OUTCOME_TRY(__VA_ARGS__)
