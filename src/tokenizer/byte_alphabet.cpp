#include "tokenizer/byte_alphabet.h"

#include <optional>

namespace chorus::tokenizer {
namespace {

constexpr std::size_t kBytes = 256;
constexpr std::size_t kFirstOther = 0x100;  // what the first byte that is not printable stands as

bool stands_for_itself(std::size_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

std::array<std::uint16_t, kBytes> characters_of_bytes() {
  std::array<std::uint16_t, kBytes> characters{};
  std::size_t other = kFirstOther;
  for (std::size_t byte = 0; byte < kBytes; ++byte) {
    characters[byte] = static_cast<std::uint16_t>(stands_for_itself(byte) ? byte : other++);
  }
  return characters;
}

std::array<std::optional<char>, 0x180> bytes_of_characters() {
  std::array<std::optional<char>, 0x180> bytes;
  auto characters = characters_of_bytes();
  for (std::size_t byte = 0; byte < kBytes; ++byte) {
    bytes[characters[byte]] = static_cast<char>(byte);
  }
  return bytes;
}

}  // namespace

std::array<std::uint8_t, 256> bytes_in_alphabet_order() {
  std::array<std::uint8_t, kBytes> order{};
  std::size_t count = 0;
  for (bool themselves : {true, false}) {
    for (std::size_t byte = 0; byte < kBytes; ++byte) {
      if (stands_for_itself(byte) == themselves) order[count++] = static_cast<std::uint8_t>(byte);
    }
  }
  return order;
}

bool append_bytes_of(std::string_view text, std::string& out) {
  static const auto bytes = bytes_of_characters();
  const std::size_t size = out.size();
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::size_t character = static_cast<std::uint8_t>(text[i]);
    if (character >= 0xC2 && character < 0xC6 && i + 1 < text.size()) {  // U+0080 to U+017F
      std::size_t low = static_cast<std::uint8_t>(text[++i]);
      character = low < 0x80 || low > 0xBF ? 0x80 : (character & 0x1F) << 6 | (low & 0x3F);
    } else if (character >= 0x80) {
      character = 0x80;  // which no byte stands as
    }
    if (!bytes[character]) {
      out.resize(size);
      return false;
    }
    out.push_back(*bytes[character]);
  }
  return true;
}

std::string in_alphabet(std::string_view bytes) {
  static const auto characters = characters_of_bytes();
  std::string text;
  for (char byte : bytes) {
    unsigned character = characters[static_cast<std::uint8_t>(byte)];
    if (character < 0x80) {
      text += static_cast<char>(character);
    } else {
      text += static_cast<char>(0xC0 | character >> 6);
      text += static_cast<char>(0x80 | (character & 0x3F));
    }
  }
  return text;
}

}  // namespace chorus::tokenizer
