#include "server/api/request_body.h"

#include <string>
#include <utility>

#include "json/parse.h"

namespace chorus::server {

ApiResult<boost::json::object> parse_body(std::string_view body) {
  Result<boost::json::object> object = parse_json_object(body);
  if (object) return std::move(object.assume_value());
  // Between quotes stands a key of the client's.
  const std::string& message = object.assume_error().message;
  std::size_t first = message.find('\''), last = message.rfind('\'');
  std::string shown = first < last ? message.substr(first, last - first + 1) : "";
  return ApiError{400, "the body: " + message, {}, {}, std::move(shown)};
}

}  // namespace chorus::server
