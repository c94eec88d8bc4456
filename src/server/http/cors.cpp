#include "server/http/cors.h"

#include <algorithm>

#include "core/ascii.h"

namespace chorus::server {
namespace {

// Whether it is a list of header names, as a browser sends it (RFC 9110, 5.6.2).
bool is_name_list(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~, ";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

std::string without_slash(std::string_view origin) {
  if (origin.ends_with('/')) origin.remove_suffix(1);
  return lower_case(origin);
}

bool allows_any(const std::vector<std::string>& allowed) {
  return std::find(allowed.begin(), allowed.end(), "*") != allowed.end();
}

}  // namespace

bool allows_origin(const std::vector<std::string>& allowed, std::string_view origin) {
  return allows_any(allowed) ||
         std::any_of(allowed.begin(), allowed.end(), [&](const std::string& one) {
           return !origin.empty() && without_slash(one) == without_slash(origin);
         });
}

void add_cors(ResponseHead& head, const HttpRequest& request,
              const std::vector<std::string>& allowed, std::string_view exposed) {
  if (allowed.empty()) return;
  bool any = allows_any(allowed);
  if (!any) head.headers.emplace_back("Vary", "Origin");
  std::string origin(request.header("origin"));
  if (!allows_origin(allowed, origin)) return;
  head.headers.emplace_back("Access-Control-Allow-Origin", any ? "*" : origin);
  head.headers.emplace_back("Access-Control-Expose-Headers", std::string(exposed));
}

void add_preflight(ResponseHead& head, const HttpRequest& request,
                   const std::vector<std::string>& allowed) {
  if (request.header("access-control-request-method").empty()) return;
  if (!allows_origin(allowed, request.header("origin"))) return;
  // Those of every path: a page shall see the 404 or 405 that tells it what is wrong.
  head.headers.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS");
  std::string_view asked = request.header("access-control-request-headers");
  head.headers.emplace_back("Access-Control-Allow-Headers",
                            is_name_list(asked)
                                ? std::string(asked)
                                : "Authorization, Content-Type, X-Api-Key, X-Request-Id");
  if (request.header("access-control-request-private-network") == "true") {
    head.headers.emplace_back("Access-Control-Allow-Private-Network", "true");
  }
  head.headers.emplace_back("Access-Control-Max-Age", "86400");
}

}  // namespace chorus::server
