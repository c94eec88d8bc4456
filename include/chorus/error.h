// Recoverable errors are values: a function that can fail returns Result<T>, and the caller either
// handles the Error or passes it on with CHORUS_TRY. Nothing below the command line prints or
// aborts. Values are plain data; they may cross threads.
#pragma once

#include <string>

#include "chorus/result.h"

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
  kOutOfMemory,      // there was no memory for what was asked; nothing else is concerned
};

struct [[nodiscard]] Error {
  ErrorCode code;
  std::string message;  // what was wrong, where, and what was expected; one line, no full stop

  // The same error, with the place it happened put in front: "PLACE: message".
  Error in(const std::string& place) && { return {code, place + ": " + message}; }
};

}  // namespace chorus
