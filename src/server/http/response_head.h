// The head of an answer as bytes, and the frames of a chunked body. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chorus::server {

struct ResponseHead {
  using Headers = std::vector<std::pair<std::string, std::string>>;

  // A constructor, as GCC 12 destroys aggregates twice that are made inside a co_await expression.
  explicit ResponseHead(int its_status = 200, std::string its_content_type = {},
                        Headers its_headers = {})
      : status(its_status),
        content_type(std::move(its_content_type)),
        headers(std::move(its_headers)) {}

  int status;
  std::string content_type;  // empty: no body
  Headers headers;
};

const char* reason_phrase(int status);

// How the body's end is told.
struct BodyFraming {
  std::optional<std::uint64_t> length = {};  // Content-Length
  bool chunked = false;                      // else the connection's end tells it
  bool close = false;                        // the connection ends after the answer
  bool announce_keep_alive = false;          // for HTTP/1.0
};

// What every answer says.
struct AnswerMarks {
  std::string_view date;  // as HTTP writes it
  std::string_view request_id;
};

// Appends the status line and all headers, with the empty line.
void append_head(std::string& out, const ResponseHead& head, const BodyFraming& framing,
                 const AnswerMarks& marks);

// Appends a chunk; an empty one is left out, as it would end the body.
void append_chunk(std::string& out, std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// Seconds since 1970 as "Sun, 06 Nov 1994 08:49:37 GMT", and back (nothing for other forms).
std::string http_date(std::int64_t seconds);
std::optional<std::int64_t> parse_http_date(const std::string& text);

}  // namespace chorus::server
