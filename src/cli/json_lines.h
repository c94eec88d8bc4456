// A request a line in, an answer a line out, in order.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <istream>
#include <string>
#include <string_view>

#include "core/text_encoding.h"
#include "json/fields.h"

namespace chorus::cli {

struct LineAnswer {
  std::string json;          // without a line end
  std::uint64_t tokens = 0;  // generated or scored, for the progress shown
};

// Of a line's object, and of the text that it was parsed from. From any thread.
using AnswerLine =
    std::function<LineAnswer(const boost::json::object& line, std::string_view text)>;

// Writes the answer of `answer` for each line of `in`, a JSON object, in order and as soon as it
// and those before it are there. Up to `parallel` lines are answered at once, each by a thread of
// its own; with 1, a line is answered before the next is read. A line that is no object, or for
// which `answer` throws CommandFailed, is answered with {"error": {"line": N, "message": "..."}};
// the others go on. Blank lines are skipped. Shows tokens per second on a terminal. Throws
// CommandFailed at the end, with how many failed, if any did; soon if writing or reading fails.
// Lines of UTF-8 are converted one by one; of other encodings the whole of `in` is, before the
// first is answered.
void answer_json_lines(std::istream& in, const TextEncoding& encoding, std::size_t parallel,
                       const AnswerLine& answer);

// How the fields of a line are read: found under the option's name with '_' or '-' between its words,
// and an unknown one is an error, so that a misspelt field is no silent default.
inline constexpr FieldPolicy kLineFields{.refuse_unknown = true, .dash_is_underscore = true};
// The same for lines that may be records of something else: of a corpus.
inline constexpr FieldPolicy kRecordFields{.refuse_unknown = false, .dash_is_underscore = true};

// Throws CommandFailed if something was wrong with a field, naming it.
void expect_no_error(const JsonFields& fields);

}  // namespace chorus::cli
