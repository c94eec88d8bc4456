// Which callers are answered at all, by the head of their request: only pages of origins that are
// allowed, and on a machine's own loopback only who means that machine. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/api_error.h"
#include "server/http/http_request.h"

namespace chorus::server {

// 403 for a web page's request unless its origin is the server's own (that of Host) or one of
// `allowed` ("*": any). A page is known by Origin or, where browsers leave that out (images, forms
// with GET), by Sec-Fetch-Site. A link that a person follows is no page's request.
std::optional<ApiError> refuse_page(const HttpRequest& request,
                                    const std::vector<std::string>& allowed);

// 403 unless Host names loopback (localhost, 127.0.0.0/8, [::1]) or one of `allowed`, without its
// port: a page whose name was made to point to this machine (DNS rebinding) has another.
std::optional<ApiError> refuse_host(const HttpRequest& request,
                                    const std::vector<std::string>& allowed);

// Whether an address or name to listen on is loopback's.
bool is_loopback(std::string_view host);

}  // namespace chorus::server
