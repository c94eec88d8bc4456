// Why a request cannot be answered as it was meant: a status and one line for the client. How the
// answer's body says it is for whoever answers (http_handler.h). Plain data.
#pragma once

#include <string>
#include <utility>

#include "chorus/result.h"

namespace chorus::server {

struct [[nodiscard]] HttpError {
  // A constructor, as GCC 12 destroys aggregates twice that are made inside a co_await expression.
  HttpError(int its_status, std::string its_message, std::string its_code = {})
      : status(its_status), message(std::move(its_message)), code(std::move(its_code)) {}

  int status;
  std::string message;  // one line, no full stop, no path of this machine
  std::string code;     // a word for programs; empty: none
};

inline HttpError out_of_memory() {
  return {503, "not enough memory for the request: ask for less, or later", "out_of_memory"};
}

template <class T>
using HttpResult = Result<T, HttpError>;

}  // namespace chorus::server
