#include "server/http/response_head.h"

#include <fmt/format.h>

#include <array>
#include <ctime>
#include <iterator>

namespace chorus::server {
namespace {

constexpr const char* kDateFormat = "%a, %d %b %Y %H:%M:%S GMT";

}  // namespace

const char* reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

void append_head(std::string& out, const ResponseHead& head, const BodyFraming& framing,
                 std::string_view date) {
  auto back = std::back_inserter(out);
  fmt::format_to(back, "HTTP/1.1 {} {}\r\nDate: {}\r\n", head.status, reason_phrase(head.status),
                 date);
  if (!head.content_type.empty()) {
    fmt::format_to(back, "Content-Type: {}\r\nX-Content-Type-Options: nosniff\r\n",
                   head.content_type);
  }
  if (framing.length) fmt::format_to(back, "Content-Length: {}\r\n", *framing.length);
  if (framing.chunked) out += "Transfer-Encoding: chunked\r\n";
  if (framing.close) out += "Connection: close\r\n";
  if (framing.announce_keep_alive) out += "Connection: keep-alive\r\n";
  for (const auto& [name, value] : head.headers) {
    fmt::format_to(back, "{}: {}\r\n", name, value);
  }
  out += "\r\n";
}

void append_chunk(std::string& out, std::string_view data) {
  if (data.empty()) return;
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", data.size());
  out += data;
  out += "\r\n";
}

std::string http_date(std::int64_t seconds) {
  std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 64> text;
  std::size_t length = std::strftime(text.data(), text.size(), kDateFormat, &parts);
  return std::string(text.data(), length);
}

std::optional<std::int64_t> parse_http_date(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), kDateFormat, &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return ::timegm(&parts);
}

}  // namespace chorus::server
