// One HTTP GET with libcurl, redirects followed. Knows nothing of files, caches or retries.
// Each call stands alone: any thread may call.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "chorus/error.h"

namespace chorus::hub {

struct HttpRequest {
  std::string url;
  std::string token;              // sent as a bearer to the URL's own host only; may be empty
  std::uint64_t range_begin = 0;  // first byte wanted; above 0 a Range header is sent
  std::string if_range;           // the etag that the range is good for; may be empty
  std::chrono::seconds connect_timeout{15};
  std::chrono::seconds stall_timeout{30};
};

// The final response, and what a redirect on the way to it said of the file that it points to.
struct HttpResponse {
  long status = 0;  // 0: there was no response
  std::string etag;
  std::optional<std::uint64_t> content_length;
  std::optional<std::uint64_t> range_begin;  // of Content-Range
  std::optional<std::uint64_t> range_total;
  std::string error_message;                 // X-Error-Message
  std::string linked_etag;                   // X-Linked-Etag of the first response that has one
  std::optional<std::uint64_t> linked_size;  // X-Linked-Size, likewise
  long retry_after = 0;                      // seconds
};

// Takes the body of the final response, piece by piece; called at least once (perhaps with an empty
// piece) if there was a response. An error ends the transfer.
using HttpSink = std::function<Result<void>(const HttpResponse&, std::string_view)>;

struct HttpOutcome {
  HttpResponse response;
  std::string failure;           // why the transfer broke off; empty if it did not
  bool may_pass = false;         // the failure is of a kind that another attempt may not meet
  std::optional<Error> refused;  // the sink's error
};

// At most 10 redirects, only to http and https, and from https only to https.
HttpOutcome http_get(const HttpRequest& request, const HttpSink& sink);

// The protocols that a redirect away from `url` may lead to, as libcurl lists them.
const char* redirect_protocols(const std::string& url);

// Reads one line of a response's head into `response`. A status line begins a new response: only
// what redirects say of the linked file is kept.
void read_header_line(std::string_view line, HttpResponse& response);

}  // namespace chorus::hub
