// An error as OpenAI's API tells it to a client: a status, and a JSON body that says which field is
// wrong. Messages are for strangers: no path of this machine is in them. Plain data.
#pragma once

#include <string>
#include <utility>

#include "chorus/error.h"
#include "json/fields.h"
#include "server/http/http_error.h"

namespace chorus::server {

struct [[nodiscard]] ApiError {
  // A constructor, as GCC 12 destroys aggregates twice that are made inside a co_await expression.
  ApiError(int its_status, std::string its_message, std::string its_param = {},
           std::string its_code = {}, std::string its_shown = {})
      : status(its_status),
        message(std::move(its_message)),
        param(std::move(its_param)),
        code(std::move(its_code)),
        shown(std::move(its_shown)) {}
  ApiError(const FieldError& error)
      : ApiError(400, error.message(), error.field, {}, error.shown) {}
  ApiError(const HttpError& error) : ApiError(error.status, error.message, {}, error.code) {}

  int status;
  std::string message;  // one line, no full stop
  std::string param;    // the field; empty: none in particular
  std::string code;     // a word for programs; empty: none
  std::string shown;    // what of `message` and `param` the client wrote, which logs leave out
};

template <class T>
using ApiResult = Result<T, ApiError>;

// 400: the field `param` is not what was expected; the message begins with its name.
ApiError bad_field(const std::string& param, const std::string& what, std::string shown = {});

// What the engine said, as a status: 400 for what the request asks, 429 when its queue is full, 503
// when it goes away or has no memory, 500 for the rest (whose reason is not told).
ApiError to_api_error(const Error& error);

// OpenAI's word for a kind of error: "invalid_request_error", "authentication_error", ...
const char* error_type(int status);

// {"error": {"message", "type", "param", "code"}}
std::string to_json(const ApiError& error);

}  // namespace chorus::server
