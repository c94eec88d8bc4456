#include "server/api/callers.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/ascii.h"
#include "core/utf8.h"
#include "server/http/cors.h"

namespace chorus::server {
namespace {

// "name:80", "[::1]:80" without the port.
std::string_view without_port(std::string_view host) {
  std::size_t end = host.starts_with('[') ? host.find(']') + 1 : host.find(':');
  return host.substr(0, end);
}

// "scheme://authority": the authority; empty for "null" and what is none.
std::string_view authority(std::string_view origin) {
  std::size_t begin = origin.find("://");
  return begin == std::string_view::npos ? std::string_view() : origin.substr(begin + 3);
}

}  // namespace

std::optional<ApiError> refuse_page(const HttpRequest& request,
                                    const std::vector<std::string>& allowed) {
  std::string_view origin = request.header("origin"), site = request.header("sec-fetch-site");
  bool is_own =
      !origin.empty() && lower_case(authority(origin)) == lower_case(request.header("host"));
  bool is_other_site = site == "cross-site" || site == "same-site";
  bool is_followed = request.header("sec-fetch-mode") == "navigate" && request.method == "GET";
  bool is_page = origin.empty() ? is_other_site && !is_followed : !is_own;
  if (!is_page || allows_origin(allowed, origin)) return std::nullopt;
  return ApiError(403,
                  fmt::format("Origin: expected the server's own or one that --cors-origin allows, "
                              "found {}",
                              origin.empty() ? std::string("none, from another site's page")
                                             : "\"" + replace_ill_formed(origin) + "\""),
                  {}, "origin_not_allowed");
}

bool is_loopback(std::string_view host) {
  constexpr std::string_view kDomain = ".localhost";
  bool is_number = host.starts_with("127.") && std::all_of(host.begin(), host.end(), [](char c) {
                     return (c >= '0' && c <= '9') || c == '.';
                   });
  if (is_number) return std::count(host.begin(), host.end(), '.') == 3;
  bool is_of_domain = host.size() >= kDomain.size() &&
                      equal_but_capitals(host.substr(host.size() - kDomain.size()), kDomain);
  return is_of_domain || equal_but_capitals(host, "localhost") || host == "::1" || host == "[::1]";
}

std::optional<ApiError> refuse_host(const HttpRequest& request,
                                    const std::vector<std::string>& allowed) {
  std::string_view host = without_port(request.header("host"));
  if (host.empty() || is_loopback(host)) return std::nullopt;  // HTTP/1.0 may send none
  bool is_known = std::any_of(allowed.begin(), allowed.end(), [&](const std::string& one) {
    return one == "*" || equal_but_capitals(one, host);
  });
  if (is_known) return std::nullopt;
  return ApiError(403,
                  fmt::format("Host: expected localhost or one that --allowed-host names, as this "
                              "server is on loopback and asks for no key; found \"{}\"",
                              replace_ill_formed(lower_case(host))),
                  {}, "host_not_allowed");
}

}  // namespace chorus::server
