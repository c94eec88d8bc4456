#include "server/http/request_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstddef>
#include <memory_resource>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "core/ascii.h"

namespace chorus::server {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

HttpError bad_request(std::string message) { return {400, std::move(message)}; }

HttpError describe(error_code error, const ReaderLimits& limits) {
  if (error == http::error::header_limit) {
    return {431, fmt::format("the request's head: expected at most {} bytes", limits.header)};
  }
  if (error == http::error::body_limit) {
    return {413, fmt::format("the request's body: expected at most {} bytes", limits.body)};
  }
  if (error == http::error::bad_version) return {505, "expected HTTP/1.0 or HTTP/1.1"};
  return bad_request("not an HTTP request: " + error.message());
}

int count(const HttpRequest& request, std::string_view name) {
  return static_cast<int>(
      std::count_if(request.headers.begin(), request.headers.end(),
                    [name](const auto& header) { return header.first == name; }));
}

// How the body's length is told: at most one way, once, in its plainest form.
HttpResult<void> check_framing(const HttpRequest& request) {
  int lengths = count(request, "content-length"), codings = count(request, "transfer-encoding");
  if (lengths > 1) return bad_request("Content-Length: expected one, found several");
  if (codings > 1) return bad_request("Transfer-Encoding: expected one, found several");
  if (lengths == 1 && codings == 1) {
    return bad_request("expected Content-Length or Transfer-Encoding, found both");
  }
  if (lengths == 1) {
    std::string_view length = request.header("content-length");
    bool is_number = !length.empty() && std::all_of(length.begin(), length.end(),
                                                    [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number) return bad_request("Content-Length: expected a whole number");
  }
  if (codings == 1) {
    if (request.version < 11) return bad_request("Transfer-Encoding: not part of HTTP/1.0");
    if (lower_case(request.header("transfer-encoding")) != "chunked") {
      return HttpError{501, "Transfer-Encoding: expected chunked"};
    }
  }
  return ok();
}

// "http://host/path" (which a proxy would be sent) becomes "/path".
HttpResult<void> to_origin_form(HttpRequest& request) {
  std::string& target = request.target;
  for (std::string_view scheme : {"http://", "https://"}) {
    if (lower_case(std::string_view(target).substr(0, scheme.size())) != scheme) continue;
    std::size_t slash = target.find_first_of("/?", scheme.size());
    std::string rest = slash == std::string::npos ? "" : target.substr(slash);
    target = rest.starts_with('/') ? rest : "/" + rest;
  }
  bool is_star = target == "*" && request.method == "OPTIONS";
  if (!is_star && (target.empty() || target[0] != '/')) {
    return bad_request("the request's target: expected a path that begins with /");
  }
  if (target.find('#') != std::string::npos) {
    return bad_request("the request's target: expected no fragment");
  }
  return ok();
}

// A name or an address, in brackets if it has colons, and maybe a port (RFC 9110, 7.2).
bool is_valid_host(std::string_view host) {
  constexpr std::string_view kOfNames = "-._~!$&'()*+,;=%";
  auto is_one = [](char c, std::string_view others) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.find(c) != std::string_view::npos;
  };
  bool has_brackets = host.starts_with('[');
  std::size_t end = has_brackets ? host.find(']') : std::min(host.find(':'), host.size());
  if (end == std::string_view::npos || end == (has_brackets ? 1u : 0u)) return false;
  std::string_view name = host.substr(has_brackets ? 1 : 0, end - (has_brackets ? 1 : 0));
  std::string_view rest = host.substr(has_brackets ? end + 1 : end);
  if (!std::all_of(name.begin(), name.end(),
                   [&](char c) { return is_one(c, has_brackets ? ":." : kOfNames); })) {
    return false;
  }
  if (rest.empty()) return true;
  return rest[0] == ':' && rest.size() <= 6 &&
         std::all_of(rest.begin() + 1, rest.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Lines end with both; a program in front may end them with the second alone.
bool has_bare_line_feed(std::string_view lines) {
  for (std::size_t at = lines.find('\n'); at != std::string_view::npos;
       at = lines.find('\n', at + 1)) {
    if (at == 0 || lines[at - 1] != '\r') return true;
  }
  return false;
}

// Beast lets a quoted value of an extension be anything.
struct CheckChunk {
  void operator()(std::uint64_t, std::string_view extensions, error_code& error) const {
    auto is_control = [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; };
    if (std::any_of(extensions.begin(), extensions.end(), is_control)) {
      error = http::error::bad_chunk_extension;
    }
  }
};

// What Beast lets pass. `raw` is the whole head.
HttpResult<void> check_head(std::string_view raw, HttpRequest& request) {
  if (raw.find("\r\n ") != std::string_view::npos || raw.find("\r\n\t") != std::string_view::npos) {
    return bad_request("the request's head: expected a header a line, found a folded one");
  }
  if (request.version != 10 && request.version != 11) {
    return HttpError{505, "expected HTTP/1.0 or HTTP/1.1"};
  }
  int hosts = count(request, "host");
  if (hosts > 1 || (hosts == 0 && request.version == 11)) {
    return bad_request(fmt::format("Host: expected one, found {}", hosts));
  }
  if (hosts == 1 && !is_valid_host(request.header("host"))) {
    return bad_request("Host: expected a name or an address, and maybe a port");
  }
  CHORUS_TRY(check_framing(request));
  CHORUS_TRY(to_origin_form(request));
  std::string_view expect = request.header("expect");
  if (!expect.empty() && lower_case(expect) != "100-continue") {
    return HttpError{417, "Expect: expected 100-continue"};
  }
  request.expects_continue = !expect.empty() && request.version == 11;
  return ok();
}

}  // namespace

struct RequestReader::Impl {
  explicit Impl(ReaderLimits given) : limits(given) { start(); }

  void start() {
    parser.reset();
    memory.release();
    parser.emplace(std::piecewise_construct, std::make_tuple(),
                   std::make_tuple(std::pmr::polymorphic_allocator<char>(&memory)));
    parser->header_limit(static_cast<std::uint32_t>(limits.header));
    parser->body_limit(limits.body);
    parser->on_chunk_header(check_chunk);
    // What was allotted for the last one's head serves the next one.
    request.method.clear();
    request.target.clear();
    if (request.headers.capacity() > kKeptHeaders) {
      request.headers = {};
    } else {
      request.headers.clear();
    }
    request.body = {};
    request.expects_continue = false;
    has_begun = has_passed_empty_line = false;
  }

  HttpResult<void> take_head(std::string_view raw) {
    const auto& message = parser->get();
    request.method = std::string_view(message.method_string());
    request.target = std::string_view(message.target());
    request.version = static_cast<int>(message.version());
    request.keep_alive = parser->keep_alive();
    for (const auto& field : message) {
      request.headers.emplace_back(lower_case(field.name_string()), std::string(field.value()));
    }
    return check_head(raw, request);
  }

  static constexpr std::size_t kKeptHeaders = 32;

  ReaderLimits limits;
  // Beast allots every header's line for itself: here, as long as they are few.
  std::array<std::byte, 1024> room;
  std::pmr::monotonic_buffer_resource memory{room.data(), room.size()};
  std::optional<http::request_parser<http::string_body, std::pmr::polymorphic_allocator<char>>>
      parser;
  CheckChunk check_chunk;
  HttpRequest request;
  bool has_begun = false;
  bool has_passed_empty_line = false;  // before the request
};

RequestReader::RequestReader(ReaderLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestReader::~RequestReader() = default;

HttpResult<std::size_t> RequestReader::put(std::string_view bytes) {
  auto& parser = *impl_->parser;
  std::size_t used = 0;
  // Old clients send an empty line behind a body (RFC 9112, 2.2). It is no request yet.
  if (!impl_->has_begun && !impl_->has_passed_empty_line) {
    if (bytes == "\r") return used;
    impl_->has_passed_empty_line = bytes.starts_with("\r\n");
    if (impl_->has_passed_empty_line) used = 2;
  }
  while (used < bytes.size() && !parser.is_done()) {
    impl_->has_begun = true;
    std::string_view rest = bytes.substr(used);
    bool had_head = parser.is_header_done();
    // No chunked body ends with less, and Beast asserts that it is not given less of the last chunk.
    constexpr std::string_view kShortestEnd = "0\r\n\r\n";
    if (had_head && parser.chunked() && rest.size() < kShortestEnd.size()) break;
    error_code error;
    std::size_t count = parser.put(boost::asio::buffer(rest.data(), rest.size()), error);
    used += count;
    if (error && error != http::error::need_more) return describe(error, impl_->limits);
    if (!had_head && parser.is_header_done()) {
      CHORUS_TRY(impl_->take_head(rest.substr(0, count)));
      parser.eager(true);
    } else if (count == 0) {
      // The rest of a line is missing: of the head, whose length Beast limits, or of a chunk's.
      if (rest.size() > impl_->limits.header) return bad_request("a line of the body is too long");
      if (had_head && has_bare_line_feed(rest)) {
        return bad_request("a line of the body: expected CRLF at its end, found a bare line feed");
      }
      break;
    }
  }
  if (parser.is_done()) impl_->request.body = std::move(parser.get().body());
  return used;
}

bool RequestReader::has_begun() const { return impl_->has_begun; }
bool RequestReader::head_is_done() const { return impl_->parser->is_header_done(); }
bool RequestReader::is_done() const { return impl_->parser->is_done(); }
std::size_t RequestReader::body_bytes() const {
  return is_done() ? impl_->request.body.size() : impl_->parser->get().body().size();
}
HttpRequest& RequestReader::request() { return impl_->request; }
void RequestReader::reset() { impl_->start(); }

}  // namespace chorus::server
