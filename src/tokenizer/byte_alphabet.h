// The alphabet in which byte-level vocabularies write their tokens: one printable character, of
// U+0021 to U+0143, for each byte. Bytes that are printable in Latin-1 stand for themselves, the
// others for U+0100 onwards; so a space is written as U+0120. Pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace chorus::tokenizer {

// The bytes in the order of GPT-2's ids: first those that stand for themselves, then the others.
std::array<std::uint8_t, 256> bytes_in_alphabet_order();

// Appends the bytes that `text` writes in the alphabet. False, with `out` as it was, if it is not
// written in it.
bool append_bytes_of(std::string_view text, std::string& out);

std::string in_alphabet(std::string_view bytes);

}  // namespace chorus::tokenizer
