#include "core/utf8.h"

#include <cstdint>
#include <cstring>

namespace chorus {
namespace {

using Kind = Utf8Unit::Kind;

// What the first byte of a character says of the rest: how many bytes there are, and between which
// bounds the second must lie (any later one lies in 80..BF). A length of 0: no character begins so.
struct Lead {
  std::size_t length;
  std::uint8_t low;
  std::uint8_t high;
};

Lead lead_of(std::uint8_t byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};  // a later byte, or an overlong form
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};  // below: overlong
  if (byte == 0xED) return {3, 0x80, 0x9F};  // above: surrogates
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};  // below: overlong
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};  // above: beyond U+10FFFF
  return {0, 0, 0};
}

std::size_t ascii_length(std::string_view text) {
  std::size_t length = 0;
  std::uint64_t word = 0;
  while (text.size() - length >= sizeof word) {
    std::memcpy(&word, text.data() + length, sizeof word);
    if ((word & 0x8080808080808080u) != 0) break;
    length += sizeof word;
  }
  while (length < text.size() && static_cast<std::uint8_t>(text[length]) < 0x80) ++length;
  return length;
}

}  // namespace

Utf8Unit first_utf8_unit(std::string_view text) {
  Lead lead = lead_of(static_cast<std::uint8_t>(text[0]));
  if (lead.length == 0) return {Kind::kIllFormed, 1};
  for (std::size_t i = 1; i < lead.length; ++i) {
    if (i == text.size()) return {Kind::kIncomplete, i};
    auto byte = static_cast<std::uint8_t>(text[i]);
    std::uint8_t low = i == 1 ? lead.low : 0x80;
    std::uint8_t high = i == 1 ? lead.high : 0xBF;
    if (byte < low || byte > high) return {Kind::kIllFormed, i};
  }
  return {Kind::kWhole, lead.length};
}

std::size_t well_formed_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size()) {
    std::size_t ascii = ascii_length(text.substr(length));
    length += ascii;
    if (ascii > 0) continue;
    Utf8Unit unit = first_utf8_unit(text.substr(length));
    if (unit.kind != Kind::kWhole) break;
    length += unit.length;
  }
  return length;
}

std::size_t append_well_formed(std::string_view text, std::string& out) {
  std::size_t used = 0;
  while (true) {
    std::size_t good = well_formed_length(text.substr(used));
    out.append(text, used, good);
    used += good;
    if (used == text.size()) return used;
    Utf8Unit unit = first_utf8_unit(text.substr(used));
    if (unit.kind == Kind::kIncomplete) return used;
    out += kReplacementCharacter;
    used += unit.length;
  }
}

std::string replace_ill_formed(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  if (append_well_formed(text, out) < text.size()) out += kReplacementCharacter;
  return out;
}

}  // namespace chorus
