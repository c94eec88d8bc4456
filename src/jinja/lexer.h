// A Jinja template as pieces: text that is written as it stands, and the tokens of what stands in
// {{ }} and {% %}. White space around these is taken off as transformers has Jinja do it (trim_blocks
// and lstrip_blocks are on), or as a - or + inside of them says. It is not a parser. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"

namespace chorus::jinja {

struct Token {
  enum class Kind { kName, kString, kInteger, kOperator, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;          // of a string: what it stands for
  std::int64_t integer = 0;  // of an integer

  bool is_operator(std::string_view which) const {
    return kind == Kind::kOperator && text == which;
  }
  bool is_name(std::string_view which) const { return kind == Kind::kName && text == which; }
};

struct Piece {
  enum class Kind { kText, kPrint, kStatement };
  Kind kind = Kind::kText;
  std::string text;           // of kText
  std::vector<Token> tokens;  // of the others; the last one is kEnd
  std::size_t line = 1;
};

// Errors: kCorrupt for what does not end or is no token, kUnsupported for numbers with a fraction;
// each with its line.
Result<std::vector<Piece>> split(std::string_view source);

// An error that names its line.
Error at_line(std::size_t line, ErrorCode code, std::string_view what);

}  // namespace chorus::jinja
