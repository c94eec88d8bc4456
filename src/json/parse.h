// JSON as files and requests have it: Boost.JSON's grammar, UTF-8 alone, with four things added. A
// key that stands twice in an object is an error (two readers of one file must not see two models).
// A fraction is the double nearest to what is written, so that numbers survive a round trip. An
// escaped surrogate without its partner ("\ud83d", which Python writes for half a character) is
// U+FFFD, as tiktoken takes it. A byte order mark in front is taken off. Pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <string_view>

#include "chorus/error.h"

namespace chorus {

// Parses one JSON text, white space around it allowed. Nesting is limited to 16.
// Errors: kCorrupt, with the byte at which it went wrong.
Result<boost::json::value> parse_json(std::string_view text);

// The same, and the value must be an object.
Result<boost::json::object> parse_json_object(std::string_view text);

}  // namespace chorus
