// Which web pages' requests are answered so that the pages may read it, and what their browsers are
// told (CORS, in the Fetch Standard). Whether a page's request is answered at all is for whoever
// answers. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/http/http_request.h"
#include "server/http/response_head.h"

namespace chorus::server {

// Whether `origin` is among those that are allowed ("*": any, "null" too). Capitals and a slash at
// the end make no difference.
bool allows_origin(const std::vector<std::string>& allowed, std::string_view origin);

// For every answer. `exposed`: the headers that pages may read.
void add_cors(ResponseHead& head, const HttpRequest& request,
              const std::vector<std::string>& allowed, std::string_view exposed);

// For a preflight request's answer, beside add_cors(): what the browser asks for is granted, to
// pages that are allowed.
void add_preflight(ResponseHead& head, const HttpRequest& request,
                   const std::vector<std::string>& allowed);

}  // namespace chorus::server
