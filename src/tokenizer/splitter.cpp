#include "tokenizer/splitter.h"

#include <fmt/format.h>

#include <array>
#include <new>
#include <string>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace chorus::tokenizer {
namespace {

// The members of the pattern's character classes. They are tiktoken's, whose regex follows
// Unicode 16.

// Unicode's White_Space, which is what \s means there. PCRE2's \s is not the same: it also takes
// U+180E (a space until Unicode 6.3). Neither takes U+001C to U+001F, U+200B or U+FEFF.
#define CHORUS_SPACES                                                           \
  R"(\x{09}-\x{0D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029})" \
  R"(\x{202F}\x{205F}\x{3000})"

// \p{L} and \p{N}, with what Unicode 15, 15.1 and 16 added to them: PCRE2 10.42 knows Unicode 14. A
// PCRE2 that knows more than Unicode 16 will tell some characters apart that tiktoken does not yet.
#define CHORUS_LETTERS                                                                       \
  R"(\p{L}\x{1C89}\x{1C8A}\x{A7CB}-\x{A7CD}\x{A7DA}-\x{A7DC}\x{105C0}-\x{105F3})"            \
  R"(\x{10D4A}-\x{10D65}\x{10D6F}-\x{10D85}\x{10EC2}-\x{10EC4}\x{1123F}\x{11240})"           \
  R"(\x{11380}-\x{11389}\x{1138B}\x{1138E}\x{11390}-\x{113B5}\x{113B7}\x{113D1}\x{113D3})"   \
  R"(\x{11BC0}-\x{11BE0}\x{11F02}\x{11F04}-\x{11F10}\x{11F12}-\x{11F33}\x{1342F})"           \
  R"(\x{13441}-\x{13446}\x{13460}-\x{143FA}\x{16100}-\x{1611D}\x{16D40}-\x{16D6C}\x{18CFF})" \
  R"(\x{1B132}\x{1B155}\x{1DF25}-\x{1DF2A}\x{1E030}-\x{1E06D}\x{1E4D0}-\x{1E4EB})"           \
  R"(\x{1E5D0}-\x{1E5ED}\x{1E5F0}\x{2B739}\x{2EBF0}-\x{2EE5D}\x{31350}-\x{323AF})"
#define CHORUS_NUMBERS                                                                   \
  R"(\p{N}\x{10D40}-\x{10D49}\x{116D0}-\x{116E3}\x{11BF0}-\x{11BF9}\x{11F50}-\x{11F59})" \
  R"(\x{16130}-\x{16139}\x{16D70}-\x{16D79}\x{1CCF0}-\x{1CCF9}\x{1D2C0}-\x{1D2D3})"      \
  R"(\x{1E4F0}-\x{1E4F9}\x{1E5F1}-\x{1E5FA})"

// GPT-2's pattern:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Its runs are possessive here, which changes no match (nothing follows them) and forbids the
// backtracking that would cost memory. `\s+(?!\S)` gives back at most one character: the last of
// the run is then followed by white space. So a match takes time linear in its length, no heap and
// no stack, and cannot fail: every character begins a match of one of the last four.
// clang-format off
constexpr std::string_view kPattern =
    R"('(?:s|t|re|ve|m|ll|d))"
    R"(| ?[)" CHORUS_LETTERS R"(]++)"
    R"(| ?[)" CHORUS_NUMBERS R"(]++)"
    R"(| ?[^)" CHORUS_SPACES CHORUS_LETTERS CHORUS_NUMBERS R"(]++)"
    R"(|[)" CHORUS_SPACES R"(]+(?![^)" CHORUS_SPACES R"(]))"
    R"(|[)" CHORUS_SPACES R"(]++)";
// clang-format on

std::string reason_of(int error) {
  std::array<PCRE2_UCHAR8, 256> buffer{};
  pcre2_get_error_message_8(error, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace

void Splitter::Free::operator()(pcre2_real_code_8* code) const { pcre2_code_free_8(code); }

void Splitter::Cursor::Free::operator()(pcre2_real_match_data_8* data) const {
  pcre2_match_data_free_8(data);
}

Result<Splitter> Splitter::make() {
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code_8* code =
      pcre2_compile_8(reinterpret_cast<PCRE2_SPTR8>(kPattern.data()), kPattern.size(),
                      PCRE2_UTF | PCRE2_ANCHORED, &error, &offset, nullptr);
  if (code == nullptr) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("PCRE2 refuses the tokenizer's pattern: {}", reason_of(error))};
  }
  // Without a just-in-time compiler the pattern is interpreted: slower, the same pieces.
  pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE);
  return Splitter(code);
}

Splitter::Cursor::Cursor(const Splitter& splitter, std::string_view text)
    : code_(splitter.code_.get()), match_(pcre2_match_data_create_8(1, nullptr)), text_(text) {
  if (match_ == nullptr) throw std::bad_alloc();
}

std::string_view Splitter::Cursor::next() {
  std::string_view rest = text_.substr(position_);
  if (rest.empty()) return rest;
  // The text is well-formed: checking it again for each piece would be quadratic.
  int count = pcre2_match_8(code_, reinterpret_cast<PCRE2_SPTR8>(rest.data()), rest.size(), 0,
                            PCRE2_NO_UTF_CHECK, match_.get(), nullptr);
  // Never below 1 (see the pattern); were it so, the rest as one piece would still lose nothing.
  std::size_t length = count > 0 ? pcre2_get_ovector_pointer_8(match_.get())[1] : rest.size();
  position_ += length;
  return rest.substr(0, length);
}

}  // namespace chorus::tokenizer
