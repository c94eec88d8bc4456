#include "server/http/response_head.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <ctime>
#include <iterator>

namespace chorus::server {
namespace {

using std::string_view_literals::operator""sv;

constexpr const char* kDateFormat = "%a, %d %b %Y %H:%M:%S GMT";

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += value;
  out += "\r\n"sv;
}

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
                 const AnswerMarks& marks) {
  constexpr std::size_t kUsual = 512;
  out.reserve(out.size() + kUsual);
  out += "HTTP/1.1 "sv;
  append_number(out, static_cast<std::uint64_t>(head.status));
  out += ' ';
  out += reason_phrase(head.status);
  append_header(out, "\r\nDate: ", marks.date);
  if (!head.content_type.empty()) {
    append_header(out, "Content-Type: ", head.content_type);
    out += "X-Content-Type-Options: nosniff\r\n"sv;
  }
  if (framing.length) {
    out += "Content-Length: "sv;
    append_number(out, *framing.length);
    out += "\r\n"sv;
  }
  if (framing.chunked) out += "Transfer-Encoding: chunked\r\n"sv;
  if (framing.close) out += "Connection: close\r\n"sv;
  if (framing.announce_keep_alive) out += "Connection: keep-alive\r\n"sv;
  for (const auto& [name, value] : head.headers) {
    out += name;
    append_header(out, ": ", value);
  }
  append_header(out, "X-Request-Id: ", marks.request_id);
  out += "\r\n"sv;
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
