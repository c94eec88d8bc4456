// Texts that are to be scored, as the command line, the server and Python take them. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "chorus/engine.h"

namespace chorus {

// The ids of a text that is to be scored. A byte order mark in front is no part of it, wherever the text
// comes from: a file's first cell has one, and so has what was read in some other program. Errors: as
// Engine::encode().
Result<std::vector<std::int32_t>> encode_to_score(const Engine& engine, std::string_view text,
                                                  bool special);

// Whether there is no word in the text: nothing, or white space (Unicode's) alone.
bool is_blank(std::string_view text);

}  // namespace chorus
