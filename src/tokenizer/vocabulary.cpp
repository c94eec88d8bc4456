#include "tokenizer/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace chorus::tokenizer {
namespace {

constexpr std::size_t kBytes = 256;
constexpr std::size_t kMerges = 50000;
constexpr std::size_t kSlots = 131072;  // a power of two, over twice the merges
constexpr unsigned kSlotBits = 17;
static_assert(kSlots == std::size_t{1} << kSlotBits);

Error corrupt(const std::string& name, std::size_t line, const std::string& what) {
  return Error{ErrorCode::kCorrupt, fmt::format("{}: line {}: {}", name, line, what)};
}

// The bytes that the alphabet writes as the character of the same number.
bool stands_for_itself(std::size_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

// The bytes in the order of their ids: first those that stand for themselves, then the others,
// which the alphabet writes as U+0100, U+0101, ...
std::array<std::uint8_t, kBytes> bytes_in_order() {
  std::array<std::uint8_t, kBytes> order{};
  std::size_t count = 0;
  for (bool themselves : {true, false}) {
    for (std::size_t byte = 0; byte < kBytes; ++byte) {
      if (stands_for_itself(byte) == themselves) order[count++] = static_cast<std::uint8_t>(byte);
    }
  }
  return order;
}

// The byte that each character of the alphabet (all below U+0180) stands for.
std::array<std::optional<char>, 0x180> bytes_of_characters() {
  std::array<std::optional<char>, 0x180> bytes;
  std::size_t other = 0x100;
  for (std::size_t byte = 0; byte < kBytes; ++byte) {
    bytes[stands_for_itself(byte) ? byte : other++] = static_cast<char>(byte);
  }
  return bytes;
}

// Appends the bytes that `token` writes in the alphabet. False if it is not written in it.
bool append_token(std::string_view token, std::vector<char>& out) {
  static const auto bytes = bytes_of_characters();
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::size_t character = static_cast<std::uint8_t>(token[i]);
    if (character >= 0xC2 && character < 0xC6 && i + 1 < token.size()) {  // U+0080 to U+017F
      std::size_t low = static_cast<std::uint8_t>(token[++i]);
      if (low < 0x80 || low > 0xBF) return false;
      character = (character & 0x1F) << 6 | (low & 0x3F);
    } else if (character >= 0x80) {
      return false;
    }
    if (!bytes[character]) return false;
    out.push_back(*bytes[character]);
  }
  return !token.empty();
}

// Takes the first line off `text`, which is not empty.
std::string_view take_line(std::string_view& text) {
  std::size_t length = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, length);
  text.remove_prefix(std::min(length + 1, text.size()));
  return line;
}

std::size_t first_slot(std::uint32_t pair) {
  return (pair * 0x9E3779B1u) >> (32 - kSlotBits);  // Fibonacci hashing
}

}  // namespace

Result<Vocabulary> Vocabulary::parse(const Bytes& merges) {
  Vocabulary vocabulary;
  vocabulary.start_with_bytes();
  std::string_view text = merges.text();
  if (text.empty() || !take_line(text).starts_with("#version")) {
    return corrupt(merges.name, 1, "expected \"#version\"");
  }
  std::vector<std::size_t> left_lengths;  // in bytes, of each merge
  for (std::size_t number = 2; !text.empty(); ++number) {
    std::string_view line = take_line(text);
    if (left_lengths.size() == kMerges) {
      return corrupt(merges.name, number, fmt::format("expected no more than {} merges", kMerges));
    }
    std::size_t space = std::min(line.find(' '), line.size());
    std::size_t begin = vocabulary.blob_.size();
    bool good = append_token(line.substr(0, space), vocabulary.blob_);
    left_lengths.push_back(vocabulary.blob_.size() - begin);
    good = good && space < line.size() && append_token(line.substr(space + 1), vocabulary.blob_);
    if (!good) return corrupt(merges.name, number, "expected two tokens with one space between");
    vocabulary.offsets_.push_back(vocabulary.blob_.size());
  }
  if (left_lengths.size() != kMerges) {
    return corrupt(
        merges.name, left_lengths.size() + 2,
        fmt::format("expected {} merges, the file ends after {}", kMerges, left_lengths.size()));
  }
  CHORUS_TRY(vocabulary.add_merges(left_lengths, merges.name));
  return Result<Vocabulary>(std::move(vocabulary));
}

void Vocabulary::start_with_bytes() {
  offsets_.push_back(0);
  for (std::uint8_t byte : bytes_in_order()) {
    byte_tokens_[byte] = static_cast<std::int32_t>(blob_.size());
    blob_.push_back(static_cast<char>(byte));
    offsets_.push_back(blob_.size());
  }
}

// A second walk, because the keys of the map point into the blob, which must have stopped growing.
Result<void> Vocabulary::add_merges(const std::vector<std::size_t>& left_lengths,
                                    const std::string& name) {
  merges_.resize(kSlots);
  tokens_.reserve(kBytes + kMerges);
  for (std::size_t id = 0; id < kBytes; ++id) {
    tokens_.emplace(range(id), static_cast<std::int32_t>(id));
  }
  for (std::size_t i = 0; i < left_lengths.size(); ++i) {
    std::string_view bytes = range(kBytes + i);
    std::int32_t left = token_of(bytes.substr(0, left_lengths[i]));
    std::int32_t right = token_of(bytes.substr(left_lengths[i]));
    if (left == kNoToken || right == kNoToken) {
      return corrupt(name, i + 2, "expected two tokens that are bytes or merges of earlier lines");
    }
    auto token = static_cast<std::int32_t>(kBytes + i);
    if (!tokens_.emplace(bytes, token).second) {
      return corrupt(name, i + 2, "expected a new token, found one of an earlier line");
    }
    insert(static_cast<std::uint32_t>(left) << 16 | static_cast<std::uint32_t>(right), token);
  }
  return ok();
}

void Vocabulary::insert(std::uint32_t pair, std::int32_t token) {
  std::size_t slot = first_slot(pair);
  while (merges_[slot].token != kNoToken) slot = (slot + 1) % kSlots;
  merges_[slot] = {pair, token};
}

std::int32_t Vocabulary::merged(std::int32_t left, std::int32_t right) const {
  std::uint32_t pair = static_cast<std::uint32_t>(left) << 16 | static_cast<std::uint32_t>(right);
  std::size_t slot = first_slot(pair);
  while (merges_[slot].token != kNoToken && merges_[slot].pair != pair) {
    slot = (slot + 1) % kSlots;
  }
  return merges_[slot].token;
}

std::string_view Vocabulary::range(std::size_t token) const {
  return {blob_.data() + offsets_[token], offsets_[token + 1] - offsets_[token]};
}

std::string_view Vocabulary::bytes_of(std::int32_t id) const {
  if (id < 0 || static_cast<std::size_t>(id) + 1 >= offsets_.size()) return {};
  return range(static_cast<std::size_t>(id));
}

std::int32_t Vocabulary::token_of(std::string_view bytes) const {
  auto found = tokens_.find(bytes);
  return found == tokens_.end() ? kNoToken : found->second;
}

}  // namespace chorus::tokenizer
