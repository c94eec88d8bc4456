// One request as it was received and found to be sound. Plain data.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chorus::server {

struct HttpRequest {
  std::string method;  // "GET", "HEAD", ...
  std::string target;  // in origin form, beginning with '/'; or "*"
  int version = 11;    // 10 or 11
  bool keep_alive = true;
  bool expects_continue = false;                             // Expect: 100-continue
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  // The first header of that name (in lower case); empty if there is none.
  std::string_view header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return {};
  }
};

}  // namespace chorus::server
