// Text out of a file that nobody vouches for, made fit for a one-line message. Pure.
#pragma once

#include <string>
#include <string_view>

namespace chorus {

// `text` with every byte that is not printable ASCII as \xNN, cut after 120 bytes with "...".
std::string printable(std::string_view text);

// The same between single quotes.
std::string in_quotes(std::string_view text);

}  // namespace chorus
