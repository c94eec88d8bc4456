// What the commands read: files, standard input and lists of ids. Text is text_input.h's, lines of
// JSON json_lines.h's. It is
// not a parser of options (CLI11 is) and knows nothing of what the input means. Single-threaded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"

namespace chorus::cli {

// The whole of a file, a pipe too, byte for byte; "-" is standard input. Errors: kNotFound, kIo, with the system's
// reason.
Result<std::string> read_file(const std::string& path);

// "1,2, 3\n4": whole numbers separated by any run of commas and white space; nothing gives no ids.
// The range is the caller's to check. Errors: kInvalidArgument, with the word that is not a number
// or does not fit 32 bits.
Result<std::vector<std::int32_t>> parse_ids(std::string_view text);

}  // namespace chorus::cli
