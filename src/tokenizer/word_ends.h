// Where words and white space begin and end, as the regular expressions \w and \s of Unicode have
// them (UTS 18, annex C). All texts are well-formed UTF-8. Pure functions.
#pragma once

#include <cstddef>
#include <string_view>

namespace chorus::tokenizer {

bool begins_with_word(std::string_view text);
bool ends_in_word(std::string_view text);

// How many bytes of white space `text` begins with, and ends in.
std::size_t space_at_begin(std::string_view text);
std::size_t space_at_end(std::string_view text);

}  // namespace chorus::tokenizer
