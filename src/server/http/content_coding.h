// A request's body without the coding it came in (Content-Encoding, RFC 9110, 8.4): gzip or deflate,
// by zlib. What comes out is bounded, however little goes in. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "server/http/http_error.h"

namespace chorus::server {

// Whether the header's value names no coding ("identity", or nothing).
bool is_identity(std::string_view coding);

// "gzip" (also "x-gzip"; several members), or "deflate" (with zlib's frame, as the standard has it, or
// without). Errors: 415 for another coding or several, 413 for more than `most` bytes, 400 for what
// is broken, cut off, or followed by something else.
HttpResult<std::string> decode_content(std::string_view coding, std::string_view body,
                                       std::size_t most);

}  // namespace chorus::server
