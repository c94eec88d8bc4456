// The id of a request, in its answer's X-Request-Id and in the log: the client's own if it is
// sane, else a new one. Any thread.
#pragma once

#include <array>
#include <string_view>

namespace chorus::server {

// Letters, digits, '-', '_', '.' and ':', at most 128 of them.
bool is_sane_request_id(std::string_view id);

// 24 hexadecimal digits, different for every call and every process.
using NewRequestId = std::array<char, 24>;
NewRequestId new_request_id();

}  // namespace chorus::server
