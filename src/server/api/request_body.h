// A request's body as a JSON object; its fields are read by json/fields.h. Those that nobody reads
// are ignored, as OpenAI's API does. Pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <string_view>

#include "json/fields.h"
#include "server/api/api_error.h"

namespace chorus::server {

// Nesting, doubled keys and UTF-8 are checked. Errors: 400.
ApiResult<boost::json::object> parse_body(std::string_view body);

}  // namespace chorus::server
