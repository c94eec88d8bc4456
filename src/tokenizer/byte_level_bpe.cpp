#include "tokenizer/byte_level_bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error_text.h"
#include "core/utf8.h"
#include "tokenizer/byte_alphabet.h"

namespace chorus::tokenizer {
namespace {

constexpr const char* kEndOfTextName = "<|endoftext|>";

// GPT-2's ids: the bytes in the alphabet's order, one for each merge in turn, <|endoftext|>.
Result<Vocabulary> gpt2_vocabulary(const Bytes& file) {
  CHORUS_TRY(std::vector<MergeTexts> merges, parse_merges(file));
  std::vector<std::string> texts;
  texts.reserve(kGpt2Size);
  for (std::uint8_t byte : bytes_in_alphabet_order()) {
    texts.push_back(in_alphabet({reinterpret_cast<const char*>(&byte), 1}));
  }
  for (const MergeTexts& merge : merges) {
    texts.push_back(std::string(merge.left) + std::string(merge.right));
  }
  texts.emplace_back(kEndOfTextName);
  std::vector<TokenText> tokens;
  tokens.reserve(texts.size());
  for (const std::string& text : texts) {
    tokens.push_back({static_cast<std::int32_t>(tokens.size()), text});
  }
  if (tokens.size() != kGpt2Size) {
    return corrupt(
        fmt::format("{}: expected {} merges, found {}", file.name, kGpt2Size - 257, merges.size()));
  }
  return in_place(Vocabulary::make(tokens, merges), file.name);
}

}  // namespace

Result<std::shared_ptr<const ByteLevelBpe>> ByteLevelBpe::make(Vocabulary vocabulary,
                                                               AddedTokens added, BpeRules rules) {
  CHORUS_TRY(Splitter splitter, Splitter::make());
  std::shared_ptr<ByteLevelBpe> made(new ByteLevelBpe(std::move(vocabulary), std::move(splitter),
                                                      std::move(added), std::move(rules)));
  made->find_whole_tokens();
  return std::shared_ptr<const ByteLevelBpe>(std::move(made));
}

Result<std::shared_ptr<const ByteLevelBpe>> ByteLevelBpe::gpt2(const Bytes& merges,
                                                               std::vector<AddedToken> further,
                                                               BpeRules rules) {
  CHORUS_TRY(Vocabulary vocabulary, gpt2_vocabulary(merges));
  CHORUS_TRY(Splitter splitter, Splitter::make());
  further.push_back({.id = kEndOfText, .content = kEndOfTextName, .special = true});
  CHORUS_TRY(AddedTokens added, AddedTokens::make(std::move(further)));
  if (!rules.roles.bos) rules.roles.bos = kEndOfText;
  if (!rules.roles.eos) rules.roles.eos = kEndOfText;
  if (!rules.roles.unk) rules.roles.unk = kEndOfText;
  // Every token of GPT-2's is whole: a test holds that.
  return std::shared_ptr<const ByteLevelBpe>(new ByteLevelBpe(
      std::move(vocabulary), std::move(splitter), std::move(added), std::move(rules)));
}

void ByteLevelBpe::find_whole_tokens() {
  is_whole_.resize(static_cast<std::size_t>(vocabulary_.size()));
  Merger merger(vocabulary_, rules_.unknown);
  std::vector<std::int32_t> ids;
  for (std::int32_t id = 0; id < vocabulary_.size(); ++id) {
    if (!vocabulary_.has(id)) continue;
    ids.clear();
    std::string_view bytes = vocabulary_.bytes_of(id);
    // A token too long to be looked at is merged when it comes, as any piece.
    if (bytes.size() <= 4096) merger.merge(bytes, ids);
    is_whole_[static_cast<std::size_t>(id)] =
        rules_.ignore_merges || (ids.size() == 1 && ids[0] == id);
  }
}

Result<std::vector<std::int32_t>> ByteLevelBpe::encode(std::string_view text,
                                                       Special special) const {
  std::string replaced;
  if (!is_well_formed(text)) {
    replaced = replace_ill_formed(text);
    text = replaced;
  }
  std::vector<std::int32_t> ids = rules_.prefix;
  Merger merger(vocabulary_, rules_.unknown);
  std::string with_space;
  added_.split(text, special,
               {.token = [&](std::int32_t id) { ids.push_back(id); },
                .text =
                    [&](std::string_view part) {
                      if (rules_.add_prefix_space && !part.starts_with(' ')) {
                        with_space = " ";
                        part = with_space += part;
                      }
                      encode_ordinary(part, merger, ids);
                    }});
  ids.insert(ids.end(), rules_.suffix.begin(), rules_.suffix.end());
  return ids;
}

void ByteLevelBpe::encode_ordinary(std::string_view text, Merger& merger,
                                   std::vector<std::int32_t>& ids) const {
  Splitter::Cursor cursor(splitter_, text);
  for (std::string_view piece = cursor.next(); !piece.empty(); piece = cursor.next()) {
    // Most words are tokens themselves: the same answer, sooner.
    std::int32_t whole = vocabulary_.token_of(piece);
    if (whole != kNoToken && (is_whole_.empty() || is_whole_[static_cast<std::size_t>(whole)])) {
      ids.push_back(whole);
    } else {
      merger.merge(piece, ids);
    }
  }
}

std::optional<std::string_view> ByteLevelBpe::token_bytes(std::int32_t id) const {
  if (const AddedToken* added = added_.find(id)) return added->content;
  if (!vocabulary_.has(id)) return std::nullopt;
  return vocabulary_.bytes_of(id);
}

bool ByteLevelBpe::is_special(std::int32_t id) const {
  const AddedToken* added = added_.find(id);
  return added != nullptr && added->special;
}

std::int32_t ByteLevelBpe::size() const {
  std::int32_t size = vocabulary_.size();
  if (!added_.all().empty()) size = std::max(size, added_.all().back().id + 1);
  return size;
}

std::optional<std::size_t> ByteLevelBpe::most_bytes() const {
  for (int byte = 0; byte < 256; ++byte) {
    bool is_there = vocabulary_.token_of_byte(static_cast<std::uint8_t>(byte)) != kNoToken;
    if (!is_there && (!rules_.unknown.id || rules_.unknown.fuses)) return std::nullopt;
  }
  std::size_t most = std::max<std::size_t>(vocabulary_.longest_token(), 1);
  for (const AddedToken& token : added_.all()) {
    if (token.lstrip || token.rstrip) return std::nullopt;
    most = std::max(most, token.content.size());
  }
  return most;
}

std::string ByteLevelBpe::description() const {
  return is_whole_.empty() ? size() > kGpt2Size
                                 ? fmt::format("gpt2 and {} added tokens", added_.all().size() - 1)
                                 : "gpt2"
                           : fmt::format("byte-level BPE of {} ids", size());
}

Tokenizer::Traits ByteLevelBpe::traits() const {
  return {"GPT2Tokenizer", rules_.add_prefix_space,
          !rules_.prefix.empty() && rules_.prefix[0] == rules_.roles.bos};
}

bool ByteLevelBpe::operator==(const ByteLevelBpe& other) const {
  return rules_ == other.rules_ && added_.all() == other.added_.all() &&
         vocabulary_ == other.vocabulary_;
}

}  // namespace chorus::tokenizer
