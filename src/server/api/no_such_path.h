// What a client is told that asks for a path which does not exist: the route that it may have meant,
// or what this server does not do at all. Pure functions.
#pragma once

#include <span>
#include <string_view>

#include "server/api/api_error.h"

namespace chorus::server {

struct OfferedRoute {
  std::string_view method;
  std::string_view path;  // ending with '*': a beginning
};

// A path as routes have it: runs of slashes count as one, and one at the end does not.
std::string plain_path(std::string_view path);

// 404.
ApiError no_such_path(std::string_view path, std::span<const OfferedRoute> offered);

}  // namespace chorus::server
