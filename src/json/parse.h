// JSON as file headers and configs need it: Boost.JSON's grammar, with two things added. A key that
// stands twice in an object is an error (two readers of one file must not see two models), and a
// fraction is the double nearest to what is written, so that numbers survive a round trip. Pure
// functions.
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
