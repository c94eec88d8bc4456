// The members of a JSON object as they are written, for whoever hands them on unchanged: a number that
// no double holds stays what it is. It is not a parser: the text must have been parsed. Pure functions.
#pragma once

#include <string_view>
#include <vector>

namespace chorus {

struct JsonMember {
  std::string_view name;  // with its quotation marks
  std::string_view value;
};

// Of the outermost object of `text`, in their order. `text` is what parse_json_object() has accepted.
std::vector<JsonMember> json_members(std::string_view text);

}  // namespace chorus
