// The target of a request, taken apart by Boost.URL: its path and parameters, percent-decoded.
// Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/http/http_error.h"

namespace chorus::server {

struct Target {
  std::string path;                                             // decoded; may hold any bytes
  std::vector<std::pair<std::string, std::string>> parameters;  // decoded, '+' as a space

  // The last parameter of that name; null if there is none.
  const std::string* parameter(std::string_view name) const;
};

// Errors: 400 for what is no path and query (RFC 3986), such as a '%' without two digits.
HttpResult<Target> parse_target(std::string_view target);

}  // namespace chorus::server
