#include "tokenizer/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

#include "core/error_text.h"
#include "core/printable.h"
#include "tokenizer/byte_alphabet.h"

namespace chorus::tokenizer {
namespace {

// Ids are places in a table: one far beyond the others would cost memory out of proportion.
constexpr std::size_t kMostUnnamed = 1 << 20;
constexpr std::size_t kMostMerges = 1 << 24;      // see Merger's proposals
constexpr std::size_t kMostTokenBytes = 1 << 30;  // of all the tokens together

// Of a table of so many.
std::size_t slots_for(std::size_t count) {
  return std::bit_ceil(std::max<std::size_t>(2 * count, 2));
}

std::uint32_t hash_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(std::hash<std::string_view>{}(bytes));
}

std::size_t first_slot(std::int32_t left, std::int32_t right, std::size_t slots) {
  auto pair = static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
  // Fibonacci hashing.
  return static_cast<std::size_t>((pair * 0x9E3779B97F4A7C15u) >> (64 - std::countr_zero(slots)));
}

}  // namespace

Result<Vocabulary> Vocabulary::make(const std::vector<TokenText>& tokens,
                                    const std::vector<MergeTexts>& merges) {
  Vocabulary vocabulary;
  CHORUS_TRY(vocabulary.add_tokens(tokens));
  CHORUS_TRY(vocabulary.add_merges(merges));
  return Result<Vocabulary>(std::move(vocabulary));
}

Result<void> Vocabulary::add_tokens(const std::vector<TokenText>& tokens) {
  std::size_t size = 0, bytes = 0, plain = 0;
  for (const TokenText& token : tokens) {
    if (token.id < 0 || static_cast<std::size_t>(token.id) >= tokens.size() + kMostUnnamed) {
      return corrupt(fmt::format("token {} has the id {}; expected one from 0 on, near the others",
                                 in_quotes(token.text), token.id));
    }
    size = std::max(size, static_cast<std::size_t>(token.id) + 1);
    bytes += token.text.size();
  }
  if (bytes > kMostTokenBytes) return corrupt(fmt::format("tokens of {} bytes in all", bytes));
  tokens_.resize(size);
  blob_.reserve(bytes);
  std::string text;
  for (const TokenText& given : tokens) {
    Token& token = tokens_[static_cast<std::size_t>(given.id)];
    if (token.is_named) {
      return corrupt(fmt::format("tokens {} and {} have the same id, {}",
                                 in_quotes(text_of(given.id)), in_quotes(given.text), given.id));
    }
    token.is_named = true;
    token.begin = static_cast<std::uint32_t>(blob_.size());
    text.clear();
    token.is_plain = !append_bytes_of(given.text, text);
    if (token.is_plain) text = given.text;
    plain += token.is_plain ? 1 : 0;
    blob_ += text;
    token.length = static_cast<std::uint32_t>(blob_.size()) - token.begin;
  }
  byte_tokens_.fill(kNoToken);
  by_bytes_.resize(slots_for(tokens.size() - plain));
  plain_.resize(slots_for(plain));
  for (const TokenText& given : tokens) {
    std::string_view own = bytes_of(given.id);
    bool is_new = add(at(given.id).is_plain ? plain_ : by_bytes_, given.id);
    if (!is_new) return corrupt("token " + in_quotes(given.text) + " stands twice");
    if (own.size() == 1 && !at(given.id).is_plain) {
      byte_tokens_[static_cast<std::uint8_t>(own[0])] = given.id;
    }
  }
  return ok();
}

Result<void> Vocabulary::add_merges(const std::vector<MergeTexts>& merges) {
  if (merges.size() >= kMostMerges) return corrupt(fmt::format("{} merges", merges.size()));
  merges_.resize(slots_for(merges.size()));
  std::string joined;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    Merge merge{token_of_text(merges[i].left), token_of_text(merges[i].right), kNoToken,
                static_cast<std::uint32_t>(i)};
    joined = merges[i].left;
    joined += merges[i].right;
    merge.token = token_of_text(joined);
    for (auto [id, text] :
         {std::pair(merge.left, merges[i].left), std::pair(merge.right, merges[i].right),
          std::pair(merge.token, std::string_view(joined))}) {
      if (id != kNoToken) continue;
      return corrupt(fmt::format("merge {}, {} with {}: {} is not in the vocabulary", i + 1,
                                 in_quotes(merges[i].left), in_quotes(merges[i].right),
                                 in_quotes(text)));
    }
    insert(merge);
  }
  return ok();
}

void Vocabulary::insert(const Merge& merge) {
  std::size_t slot = first_slot(merge.left, merge.right, merges_.size());
  while (merges_[slot].token != kNoToken &&
         (merges_[slot].left != merge.left || merges_[slot].right != merge.right)) {
    slot = (slot + 1) % merges_.size();
  }
  merges_[slot] = merge;
}

Vocabulary::Merge Vocabulary::merged(std::int32_t left, std::int32_t right) const {
  std::size_t slot = first_slot(left, right, merges_.size());
  while (merges_[slot].token != kNoToken &&
         (merges_[slot].left != left || merges_[slot].right != right)) {
    slot = (slot + 1) & (merges_.size() - 1);
  }
  return merges_[slot];
}

std::string_view Vocabulary::bytes_of(std::int32_t id) const {
  return {blob_.data() + at(id).begin, at(id).length};
}

std::string Vocabulary::text_of(std::int32_t id) const {
  return at(id).is_plain ? std::string(bytes_of(id)) : in_alphabet(bytes_of(id));
}

std::size_t Vocabulary::slot_of(const Table& table, std::string_view bytes,
                                std::uint32_t hash) const {
  std::size_t slot = hash & (table.size() - 1);
  while (table[slot].id != kNoToken &&
         (table[slot].hash != hash || bytes_of(table[slot].id) != bytes)) {
    slot = (slot + 1) & (table.size() - 1);
  }
  return slot;
}

std::int32_t Vocabulary::find(const Table& table, std::string_view bytes) const {
  return table[slot_of(table, bytes, hash_of(bytes))].id;
}

bool Vocabulary::add(Table& table, std::int32_t id) {
  std::uint32_t hash = hash_of(bytes_of(id));
  Slot& slot = table[slot_of(table, bytes_of(id), hash)];
  if (slot.id != kNoToken) return false;
  slot = {hash, id};
  return true;
}

std::int32_t Vocabulary::token_of(std::string_view bytes) const { return find(by_bytes_, bytes); }

std::int32_t Vocabulary::token_of_text(std::string_view text) const {
  std::string bytes;
  return append_bytes_of(text, bytes) ? find(by_bytes_, bytes) : find(plain_, text);
}

std::size_t Vocabulary::longest_token() const {
  std::size_t longest = 0;
  for (const Token& token : tokens_) longest = std::max<std::size_t>(longest, token.length);
  return longest;
}

std::vector<Vocabulary::Merge> Vocabulary::merges() const {
  std::vector<Merge> merges;
  std::ranges::copy_if(merges_, std::back_inserter(merges),
                       [](const Merge& merge) { return merge.token != kNoToken; });
  std::ranges::sort(merges, {}, &Merge::rank);
  return merges;
}

bool Vocabulary::operator==(const Vocabulary& other) const {
  auto is_same_token = [&](std::int32_t id) {
    return has(id) == other.has(id) && (!has(id) || (at(id).is_plain == other.at(id).is_plain &&
                                                     bytes_of(id) == other.bytes_of(id)));
  };
  if (size() != other.size() || merges_.size() != other.merges_.size()) return false;
  for (std::int32_t id = 0; id < size(); ++id) {
    if (!is_same_token(id)) return false;
  }
  return merges() == other.merges();
}

}  // namespace chorus::tokenizer
