#include "tokenizer/word_ends.h"

#include <memory>

#include "core/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace chorus::tokenizer {
namespace {

constexpr std::string_view kWordCharacter =
    R"(\A[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}])";

const pcre2_code_8* word_pattern() {
  static const std::unique_ptr<pcre2_code_8, decltype(&pcre2_code_free_8)> code = [] {
    int error = 0;
    PCRE2_SIZE offset = 0;
    return std::unique_ptr<pcre2_code_8, decltype(&pcre2_code_free_8)>(
        pcre2_compile_8(reinterpret_cast<PCRE2_SPTR8>(kWordCharacter.data()), kWordCharacter.size(),
                        PCRE2_UTF, &error, &offset, nullptr),
        pcre2_code_free_8);
  }();
  return code.get();
}

std::string_view first_character(std::string_view text) {
  return text.empty() ? text : text.substr(0, first_utf8_unit(text).length);
}

std::string_view last_character(std::string_view text) {
  std::size_t begin = text.size();
  while (begin > 0 && (static_cast<unsigned char>(text[--begin]) & 0xC0) == 0x80) {
  }
  return text.substr(begin);
}

bool is_word(std::string_view character) {
  if (character.empty()) return false;
  std::unique_ptr<pcre2_match_data_8, decltype(&pcre2_match_data_free_8)> match(
      pcre2_match_data_create_8(1, nullptr), pcre2_match_data_free_8);
  return pcre2_match_8(word_pattern(), reinterpret_cast<PCRE2_SPTR8>(character.data()),
                       character.size(), 0, PCRE2_NO_UTF_CHECK, match.get(), nullptr) > 0;
}

// Unicode's White_Space.
bool is_space(std::string_view character) {
  if (character.size() == 1)
    return character[0] == ' ' || (character[0] >= 9 && character[0] <= 13);
  if (character.size() == 3 && character.starts_with("\xE2\x80")) {
    auto last = static_cast<unsigned char>(character[2]);
    return last <= 0x8A || last == 0xA8 || last == 0xA9 || last == 0xAF;
  }
  return character == "\u0085" || character == "\u00A0" || character == "\u1680" ||
         character == "\u205F" || character == "\u3000";
}

}  // namespace

bool begins_with_word(std::string_view text) { return is_word(first_character(text)); }

bool ends_in_word(std::string_view text) { return is_word(last_character(text)); }

std::size_t space_at_begin(std::string_view text) {
  std::size_t length = 0;
  while (is_space(first_character(text.substr(length)))) {
    length += first_character(text.substr(length)).size();
  }
  return length;
}

std::size_t space_at_end(std::string_view text) {
  std::size_t end = text.size();
  while (is_space(last_character(text.substr(0, end)))) {
    end -= last_character(text.substr(0, end)).size();
  }
  return text.size() - end;
}

}  // namespace chorus::tokenizer
