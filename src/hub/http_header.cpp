// The head of an HTTP response, line by line.

#include <algorithm>
#include <charconv>

#include "hub/http.h"

namespace chorus::hub {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

bool equals_ignoring_case(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(), [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y;
  });
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "bytes 5-9/10", or "bytes */10" when the range could not be given.
void read_content_range(std::string_view value, HttpResponse& response) {
  constexpr std::string_view kUnit = "bytes ";
  if (!value.starts_with(kUnit)) return;
  value.remove_prefix(kUnit.size());
  std::size_t slash = value.find('/');
  if (slash == std::string_view::npos) return;
  response.range_total = parse_size(value.substr(slash + 1));
  response.range_begin = parse_size(value.substr(0, value.find('-')));
}

// A server's own words, made fit for one line of a message.
std::string printable(std::string_view text) {
  std::string result(text.substr(0, 200));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return result;
}

void begin_response(std::string_view line, HttpResponse& response) {
  HttpResponse next;
  next.linked_etag = std::move(response.linked_etag);
  next.linked_size = response.linked_size;
  std::size_t space = line.find(' ');
  if (space != std::string_view::npos) {
    next.status = static_cast<long>(parse_size(line.substr(space + 1, 3)).value_or(0));
  }
  response = std::move(next);
}

}  // namespace

void read_header_line(std::string_view line, HttpResponse& response) {
  line = trim(line);
  if (line.starts_with("HTTP/")) return begin_response(line, response);
  std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string_view name = trim(line.substr(0, colon));
  std::string_view value = trim(line.substr(colon + 1));
  if (equals_ignoring_case(name, "etag")) {
    response.etag = value;
  } else if (equals_ignoring_case(name, "content-length")) {
    response.content_length = parse_size(value);
  } else if (equals_ignoring_case(name, "content-range")) {
    read_content_range(value, response);
  } else if (equals_ignoring_case(name, "x-error-message")) {
    response.error_message = printable(value);
  } else if (equals_ignoring_case(name, "x-linked-etag")) {
    if (response.linked_etag.empty()) response.linked_etag = value;
  } else if (equals_ignoring_case(name, "x-linked-size")) {
    if (!response.linked_size) response.linked_size = parse_size(value);
  } else if (equals_ignoring_case(name, "retry-after")) {
    response.retry_after =
        static_cast<long>(std::min<std::uint64_t>(parse_size(value).value_or(0), 3600));
  }
}

const char* redirect_protocols(const std::string& url) {
  std::string_view scheme = std::string_view(url).substr(0, std::min<std::size_t>(8, url.size()));
  return equals_ignoring_case(scheme, "https://") ? "https" : "http,https";
}

}  // namespace chorus::hub
