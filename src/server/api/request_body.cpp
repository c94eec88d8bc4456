#include "server/api/request_body.h"

#include <utility>

#include "json/parse.h"

namespace chorus::server {

ApiResult<boost::json::object> parse_body(std::string_view body) {
  Result<boost::json::object> object = parse_json_object(body);
  if (!object) return ApiError{400, "the body: " + object.assume_error().message, {}, {}};
  return std::move(object.assume_value());
}

}  // namespace chorus::server
