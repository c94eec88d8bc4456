// UTF-8 as the Unicode Standard defines it (table 3-7), and what takes the place of ill-formed
// bytes: one U+FFFD for each maximal subpart (section 3.9), as Python's
// bytes.decode(errors="replace") does. It is not a decoder into code points. Pure functions: any
// thread may call them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace chorus {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

// The bytes that stand for one character, or for one U+FFFD.
struct Utf8Unit {
  enum class Kind {
    kWhole,       // one well-formed character
    kIllFormed,   // bytes that can never become one, however the text goes on
    kIncomplete,  // the text ends inside a character that was well-formed so far
  };
  Kind kind;
  std::size_t length;  // in bytes, 1 to 4
};

// The first unit of `text`, which must not be empty.
Utf8Unit first_utf8_unit(std::string_view text);

// The length in bytes of the longest well-formed beginning of `text`.
std::size_t well_formed_length(std::string_view text);

inline bool is_well_formed(std::string_view text) {
  return well_formed_length(text) == text.size();
}

// Appends `text` to `out` with U+FFFD for ill-formed bytes, but stops before an incomplete
// character at the end. Returns how many bytes of `text` were used: at most three are left.
std::size_t append_well_formed(std::string_view text, std::string& out);

// The whole of `text`, with U+FFFD for ill-formed bytes and for an incomplete character at the end.
std::string replace_ill_formed(std::string_view text);

}  // namespace chorus
