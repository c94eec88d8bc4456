// merges.txt, GPT-2's vocab.bpe:
//   #version: 0.2       may be missing
//   LEFT RIGHT          one merge a line, the first of the highest priority
// Lines end in \n or \r\n; empty ones at the end are passed over. Pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "chorus/error.h"
#include "core/bytes.h"

namespace chorus::tokenizer {

// Two tokens that merge into the one whose text is both, joined. Views into what was parsed.
struct MergeTexts {
  std::string_view left, right;
};

// Errors: kCorrupt, naming the file and the line.
Result<std::vector<MergeTexts>> parse_merges(const Bytes& file);

// "LEFT RIGHT" cut in two; empty parts if that is not what it is.
MergeTexts split_merge(std::string_view line);

bool has_version_line(const Bytes& file);

}  // namespace chorus::tokenizer
