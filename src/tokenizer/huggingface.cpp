#include "tokenizer/huggingface.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <charconv>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "core/assets.h"
#include "core/error_text.h"
#include "core/printable.h"
#include "json/parse.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/characters.h"
#include "tokenizer/tokenizer_json.h"

namespace chorus::tokenizer {
namespace {

namespace json = boost::json;

constexpr std::size_t kLargestFile = 64 << 20;

constexpr const char* kRoleFields[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};
constexpr const char* kDefaultRole = "<|endoftext|>";  // GPT2Tokenizer's bos, eos and unk

constexpr const char* kFastClass = "PreTrainedTokenizerFast";  // a tokenizer.json and no more
constexpr const char* kFastClassOf5 = "TokenizersBackend";     // the same in transformers 5

// The classes whose rules are those of this file.
bool is_gpt2_class(std::string_view name) {
  return name.empty() || name == "GPT2Tokenizer" || name == "GPT2TokenizerFast";
}

Error wrong(const std::string& field, const char* expected) {
  return corrupt(field + ": expected " + expected);
}

Result<json::object> parse_file(const std::optional<Bytes>& file) {
  if (!file) return json::object();
  if (file->size() > kLargestFile) {
    return Error{ErrorCode::kUnsupported, fmt::format("{}: {} bytes; expected at most {}",
                                                      file->name, file->size(), kLargestFile)};
  }
  return in_place(parse_json_object(file->text()), file->name);
}

const json::value* find(const json::object& object, std::string_view field) {
  const json::value* value = object.if_contains(field);
  return value == nullptr || value->is_null() ? nullptr : value;
}

// What stands beside a vocabulary, and how it changes it.
class Companions {
 public:
  // Nothing, and no rules of GPT2Tokenizer's either.
  static Companions none() {
    Companions made;
    made.class_ = kFastClass;
    return made;
  }

  static Result<Companions> read(const HuggingFaceFiles& files) {
    Companions made;
    CHORUS_TRY(made.config_, parse_file(files.tokenizer_config));
    CHORUS_TRY(made.map_, parse_file(files.special_tokens_map));
    CHORUS_TRY(made.added_, parse_file(files.added_tokens));
    made.added_name_ = files.added_tokens ? files.added_tokens->name : "";
    made.config_name_ = files.tokenizer_config ? files.tokenizer_config->name : "";
    made.map_name_ = files.special_tokens_map ? files.special_tokens_map->name : "";
    CHORUS_TRY(in_place(made.check_class(files.tokenizer_json.has_value()), made.config_name_));
    return Result<Companions>(std::move(made));
  }

  bool is_gpt2() const { return is_gpt2_class(class_); }
  bool has_config() const { return !config_name_.empty(); }

  Result<std::optional<bool>> flag(const char* field) const {
    const json::value* value = find(config_, field);
    if (value == nullptr) return std::optional<bool>();
    if (!value->is_bool()) return wrong(config_name_ + ": " + field, "true or false");
    return std::optional(value->get_bool());
  }

  // The added tokens of all files by id, in transformers' order of precedence, on top of those of a
  // tokenizer.json.
  Result<void> add_tokens(std::vector<AddedToken>& tokens) const {
    std::map<std::int32_t, AddedToken> by_id;
    const json::value* decoder = find(config_, "added_tokens_decoder");
    if (decoder == nullptr) {
      CHORUS_TRY(in_place(add_plain(by_id), added_name_));
    }
    for (AddedToken& token : tokens) {
      std::int32_t id = token.id;
      by_id[id] = std::move(token);
    }
    if (decoder != nullptr) {
      CHORUS_TRY(in_place(add_decoder(*decoder, by_id), config_name_));
    }
    tokens.clear();
    for (auto& [id, token] : by_id) tokens.push_back(std::move(token));
    return ok();
  }

  // The tokens with a role (bos_token and so on), which become special added ones, and which of them
  // are bos, eos and pad. One that neither the vocabulary nor the added tokens have gets the next id.
  Result<void> add_roles(const Vocabulary& vocabulary, BpeParts& parts) const {
    std::vector<AddedToken>& tokens = parts.added;
    Roles& roles = parts.rules.roles;
    std::unordered_map<std::string, std::int32_t> ids;  // of the tokens, by content
    std::int64_t next = vocabulary.size();
    for (const AddedToken& token : tokens) {
      ids.emplace(token.content, token.id);
      next = std::max(next, std::int64_t{token.id} + 1);
    }
    auto add_role = [&](std::string_view field, AddedToken token) {
      auto known = ids.find(token.content);
      bool is_known = known != ids.end();
      token.id = is_known ? known->second : vocabulary.token_of_text(token.content);
      if (token.id == kNoToken) {
        if (token.content.empty() || next > INT32_MAX) return;
        token.id = static_cast<std::int32_t>(next++);
        ++parts.given;
        parts.notes.push_back(fmt::format(
            "{} {} is not in the tokenizer's vocabulary: it gets the next "
            "id, {}, as transformers gives it",
            field.empty() ? "the special token" : field, in_quotes(token.content), token.id));
      }
      if (field == "bos_token") roles.bos = token.id;
      if (field == "eos_token") roles.eos = token.id;
      if (field == "pad_token") roles.pad = token.id;
      if (field == "unk_token") roles.unk = token.id;
      if (is_known) return;  // its flags stand there
      ids.emplace(token.content, token.id);
      tokens.push_back(std::move(token));
    };
    for (const char* field : kRoleFields) {
      CHORUS_TRY(std::optional<AddedToken> token, role(field));
      if (token) add_role(field, std::move(*token));
    }
    CHORUS_TRY(std::vector<AddedToken> others, additional());
    for (AddedToken& token : others) add_role("", std::move(token));
    return ok();
  }

 private:
  Result<void> check_class(bool has_tokenizer_json) {
    const json::value* value = find(config_, "tokenizer_class");
    if (value == nullptr) return ok();
    if (!value->is_string()) return wrong("tokenizer_class", "a string");
    class_ = std::string(value->get_string());
    if (class_ == kFastClassOf5) class_ = kFastClass;
    if (is_gpt2() || (class_ == kFastClass && has_tokenizer_json)) return ok();
    return Error{ErrorCode::kUnsupported, "tokenizer_class is " + in_quotes(class_) +
                                              "; expected GPT2Tokenizer, or "
                                              "PreTrainedTokenizerFast with a tokenizer.json"};
  }

  // added_tokens.json: {"<x>": 50257, ...}, without flags.
  Result<void> add_plain(std::map<std::int32_t, AddedToken>& by_id) const {
    CHORUS_TRY(std::unordered_set<std::string> with_roles, contents_with_roles());
    for (const auto& [content, value] : added_) {
      bool is_id = value.is_int64() && value.get_int64() >= 0 && value.get_int64() <= INT32_MAX;
      if (!is_id) return wrong(in_quotes(content), "an id (a whole number of 31 bits)");
      AddedToken token{.id = static_cast<std::int32_t>(value.get_int64()),
                       .content = std::string(content)};
      token.special = with_roles.contains(token.content);
      token.normalized = !token.special;
      auto [place, is_new] = by_id.emplace(token.id, token);
      if (is_new) continue;
      return corrupt(fmt::format("{} and {} have the same id, {}", in_quotes(place->second.content),
                                 in_quotes(content), token.id));
    }
    return ok();
  }

  // {"50257": {"content": "<x>", "lstrip": false, ...}, ...}
  static Result<void> add_decoder(const json::value& decoder,
                                  std::map<std::int32_t, AddedToken>& by_id) {
    if (!decoder.is_object()) return wrong("added_tokens_decoder", "an object");
    for (const auto& [key, value] : decoder.get_object()) {
      std::string place = "added_tokens_decoder." + printable(key);
      std::int32_t id = 0;
      auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
      if (error != std::errc() || end != key.data() + key.size() || id < 0) {
        return wrong(place, "an id");
      }
      if (!value.is_object()) return wrong(place, "an object");
      CHORUS_TRY(AddedToken token, parse_added_token(value.get_object(), place));
      token.id = id;
      by_id[id] = std::move(token);
    }
    return ok();
  }

  // The file that says which tokens have roles: without added_tokens_decoder the older
  // special_tokens_map.json has the last word.
  const json::value* role_value(const char* field, const std::string*& file) const {
    if (find(config_, "added_tokens_decoder") == nullptr) {
      file = &map_name_;
      if (const json::value* value = find(map_, field)) return value;
    }
    file = &config_name_;
    return find(config_, field);
  }

  static Result<AddedToken> parse_role(const json::value& value, const std::string& place) {
    if (value.is_string()) {
      return AddedToken{.content = std::string(value.get_string()), .special = true};
    }
    if (!value.is_object()) return wrong(place, "a string or an object with a content");
    CHORUS_TRY(AddedToken token, parse_added_token(value.get_object(), place));
    token.special = true;
    return token;
  }

  Result<std::optional<AddedToken>> role(const char* field) const {
    const std::string* file = nullptr;
    const json::value* value = role_value(field, file);
    if (value != nullptr) {
      CHORUS_TRY(AddedToken token, parse_role(*value, *file + ": " + field));
      return std::optional(std::move(token));
    }
    std::string_view name = field;
    bool has_default = is_gpt2() &&
                       (name == "bos_token" || name == "eos_token" || name == "unk_token") &&
                       !config_.contains(field);
    if (!has_default) return std::optional<AddedToken>();
    return std::optional(AddedToken{.content = kDefaultRole, .special = true});
  }

  Result<std::vector<AddedToken>> additional() const {
    constexpr const char* kField = "additional_special_tokens";
    constexpr const char* kFieldOf5 = "extra_special_tokens";  // an object before transformers 5
    std::vector<AddedToken> tokens;
    for (const auto& [object, file] : {std::pair(&map_, &map_name_), {&config_, &config_name_}}) {
      for (const char* field : {kField, kFieldOf5}) {
        const json::value* list = find(*object, field);
        if (list == nullptr || (field == kFieldOf5 && list->is_object())) continue;
        if (!list->is_array()) return wrong(*file + ": " + field, "an array");
        for (const json::value& value : list->get_array()) {
          CHORUS_TRY(AddedToken token, parse_role(value, *file + ": " + field));
          tokens.push_back(std::move(token));
        }
      }
    }
    return tokens;
  }

  Result<std::unordered_set<std::string>> contents_with_roles() const {
    std::unordered_set<std::string> contents;
    for (const char* field : kRoleFields) {
      CHORUS_TRY(std::optional<AddedToken> token, role(field));
      if (token) contents.insert(token->content);
    }
    CHORUS_TRY(std::vector<AddedToken> others, additional());
    for (const AddedToken& token : others) contents.insert(token.content);
    return contents;
  }

  json::object config_, map_, added_;
  std::string config_name_, map_name_, added_name_;
  std::string class_;
};

// An added token that the vocabulary has, too, must have its id there.
Result<void> check_added(const std::vector<AddedToken>& added, const Vocabulary& vocabulary) {
  for (const AddedToken& token : added) {
    std::int32_t own = vocabulary.token_of_text(token.content);
    if (own != kNoToken && own != token.id) {
      return corrupt(fmt::format("added token {} has the id {}, and {} in the vocabulary",
                                 in_quotes(token.content), token.id, own));
    }
    if (own == kNoToken && vocabulary.has(token.id)) {
      return corrupt(fmt::format("added token {} has the id {}, which is {} in the vocabulary",
                                 in_quotes(token.content), token.id,
                                 in_quotes(vocabulary.text_of(token.id))));
    }
  }
  return ok();
}

// Ids that leave a gap are kept, where tokenizers numbers anew.
void note_gaps(const std::vector<AddedToken>& added, const Vocabulary& vocabulary,
               std::vector<std::string>& notes) {
  std::vector<const AddedToken*> behind;
  for (const AddedToken& token : added) {
    if (token.id >= vocabulary.size()) behind.push_back(&token);
  }
  std::ranges::sort(behind, {}, &AddedToken::id);
  std::int32_t next = vocabulary.size();
  for (const AddedToken* token : behind) {
    if (token->id == next++) continue;
    notes.push_back(
        fmt::format("the added token {} has the id {}, as its file says; Hugging "
                    "Face's tokenizers would number it {}, the next",
                    in_quotes(token->content), token->id, next - 1));
    return;
  }
}

// The ids around every text must be tokens.
Result<void> check_template(const BpeRules& rules, const std::vector<AddedToken>& added,
                            const Vocabulary& vocabulary) {
  std::unordered_set<std::int32_t> added_ids;
  for (const AddedToken& token : added) added_ids.insert(token.id);
  for (const auto* ids : {&rules.prefix, &rules.suffix}) {
    for (std::int32_t id : *ids) {
      bool is_token = vocabulary.has(id) || added_ids.contains(id);
      if (!is_token)
        return corrupt(fmt::format("post_processor: there is no token of the id {}", id));
    }
  }
  return ok();
}

void note_missing_bytes(const Vocabulary& vocabulary, const BpeRules& rules,
                        std::vector<std::string>& notes) {
  int missing = 0;
  for (int byte = 0; byte < 256; ++byte) {
    if (vocabulary.token_of_byte(static_cast<std::uint8_t>(byte)) == kNoToken) ++missing;
  }
  if (missing == 0) return;
  notes.push_back(fmt::format("the vocabulary has no token for {} of the 256 bytes: {}", missing,
                              rules.unknown.id ? "they become its unk_token"
                                               : "a text loses them, as in Hugging Face's "
                                                 "tokenizers"));
}

// GPT-2's own, with nothing added that changes an id.
bool is_gpt2s(const Vocabulary& vocabulary, const std::vector<AddedToken>& added,
              const BpeRules& rules) {
  BpeRules plain = rules;
  plain.roles = {};
  if (plain != BpeRules{} || added.size() != 1 || vocabulary.size() != kGpt2Size) return false;
  AddedToken end = added[0];
  end.normalized = false;
  if (end != AddedToken{.id = kEndOfText, .content = kDefaultRole, .special = true}) return false;
  const auto& gpt2 = static_cast<const ByteLevelBpe&>(*Tokenizer::gpt2());
  return vocabulary == gpt2.vocabulary();
}

Result<void> use_prefix_space(const Companions& companions, bool has_tokenizer_json,
                              BpeParts& parts) {
  CHORUS_TRY(std::optional<bool> stated, companions.flag("add_prefix_space"));
  if (stated && (companions.is_gpt2() || !has_tokenizer_json)) {
    parts.rules.add_prefix_space = *stated;
  } else if (parts.rules.add_prefix_space && companions.is_gpt2() && companions.has_config()) {
    parts.rules.add_prefix_space = false;
    parts.notes.emplace_back(
        "tokenizer.json puts a space in front of a text, which GPT2Tokenizer does not unless its "
        "tokenizer_config.json says so: none is put there");
  }
  return ok();
}

Result<ReadTokenizer> build(BpeParts parts, const Companions& companions, bool has_tokenizer_json) {
  CHORUS_TRY(Vocabulary vocabulary, Vocabulary::make(parts.tokens, parts.merges));
  if (parts.unk_token) {
    std::int32_t unk = vocabulary.token_of_text(*parts.unk_token);
    if (unk == kNoToken) {
      return corrupt("model.unk_token is " + in_quotes(*parts.unk_token) +
                     ", which is not in the vocabulary");
    }
    parts.rules.unknown.id = unk;
  }
  CHORUS_TRY(companions.add_tokens(parts.added));
  note_gaps(parts.added, vocabulary, parts.notes);
  CHORUS_TRY(companions.add_roles(vocabulary, parts));
  CHORUS_TRY(check_added(parts.added, vocabulary));
  CHORUS_TRY(use_prefix_space(companions, has_tokenizer_json, parts));
  CHORUS_TRY(std::optional<bool> add_bos, companions.flag("add_bos_token"));
  // With a tokenizer.json its post_processor alone decides.
  if (add_bos.value_or(false) && !has_tokenizer_json && parts.rules.roles.bos) {
    parts.rules.prefix = {*parts.rules.roles.bos};
  }
  CHORUS_TRY(check_template(parts.rules, parts.added, vocabulary));
  note_missing_bytes(vocabulary, parts.rules, parts.notes);
  if (is_gpt2s(vocabulary, parts.added, parts.rules)) {
    return ReadTokenizer{Tokenizer::gpt2(), std::move(parts.notes)};
  }
  CHORUS_TRY(AddedTokens added, AddedTokens::make(std::move(parts.added)));
  CHORUS_TRY(auto tokenizer,
             ByteLevelBpe::make(std::move(vocabulary), std::move(added), std::move(parts.rules)));
  return ReadTokenizer{std::move(tokenizer), std::move(parts.notes), parts.given};
}

Result<ReadTokenizer> build_characters(std::map<std::int32_t, std::string> texts) {
  CHORUS_TRY(auto tokenizer, Characters::make(std::move(texts)));
  return ReadTokenizer{std::move(tokenizer), {}};
}

Result<void> check_size(const Bytes& file) {
  if (file.size() <= kLargestFile) return ok();
  return Error{ErrorCode::kUnsupported, fmt::format("{}: {} bytes; expected at most {}", file.name,
                                                    file.size(), kLargestFile)};
}

Result<ReadTokenizer> read_whole(const Bytes& file, const Companions& companions) {
  CHORUS_TRY(check_size(file));
  CHORUS_TRY(TokenizerParts parts, in_place(parse_tokenizer_json(file.text()), file.name));
  if (!parts.characters.empty()) {
    return in_place(build_characters(std::move(parts.characters)), file.name);
  }
  return in_place(build(std::move(parts.bpe), companions, true), file.name);
}

Result<ReadTokenizer> read_pair(const HuggingFaceFiles& files, const Companions& companions) {
  if (!files.vocab_json || !files.merges) {
    const Bytes& found = files.vocab_json ? *files.vocab_json : *files.merges;
    return Error{ErrorCode::kNotFound, found.name + ": expected " +
                                           (files.vocab_json ? "merges.txt" : "vocab.json") +
                                           " beside it"};
  }
  CHORUS_TRY(check_size(*files.merges));
  BpeParts parts;
  CHORUS_TRY(parts.document, parse_file(files.vocab_json));
  CHORUS_TRY(parts.tokens, in_place(tokens_of(parts.document), files.vocab_json->name));
  CHORUS_TRY(parts.merges, parse_merges(*files.merges));
  if (!has_version_line(*files.merges) && !parts.merges.empty()) {
    parts.notes.push_back(files.merges->name +
                          " does not begin with #version: its first line is read as a merge, which "
                          "transformers' GPT2Tokenizer passes over");
  }
  return in_place(build(std::move(parts), companions, false), files.vocab_json->name);
}

// Added tokens alone stand beside GPT-2's own.
Result<ReadTokenizer> read_beside_gpt2(const Companions& companions) {
  const auto& gpt2 = static_cast<const ByteLevelBpe&>(*Tokenizer::gpt2());
  BpeParts parts;
  std::vector<AddedToken>& added = parts.added;
  added = gpt2.added().all();
  parts.rules.roles = gpt2.roles();
  CHORUS_TRY(companions.add_tokens(added));
  CHORUS_TRY(companions.add_roles(gpt2.vocabulary(), parts));
  CHORUS_TRY(check_added(added, gpt2.vocabulary()));
  CHORUS_TRY(use_prefix_space(companions, false, parts));
  CHORUS_TRY(std::optional<bool> add_bos, companions.flag("add_bos_token"));
  if (add_bos.value_or(false)) parts.rules.prefix = {*parts.rules.roles.bos};
  if (is_gpt2s(gpt2.vocabulary(), added, parts.rules)) return ReadTokenizer{Tokenizer::gpt2(), {}};
  std::erase_if(added, [](const AddedToken& token) { return token.id == kEndOfText; });
  CHORUS_TRY(auto tokenizer,
             ByteLevelBpe::gpt2(embedded_vocab_bpe(), std::move(added), std::move(parts.rules)));
  return ReadTokenizer{std::move(tokenizer), std::move(parts.notes), parts.given};
}

}  // namespace

Result<ReadTokenizer> read_huggingface(const HuggingFaceFiles& files) {
  CHORUS_TRY(Companions companions, Companions::read(files));
  if (files.tokenizer_json) return read_whole(*files.tokenizer_json, companions);
  if (files.vocab_json || files.merges) return read_pair(files, companions);
  return read_beside_gpt2(companions);
}

Result<ReadTokenizer> read_tokenizer_json(const Bytes& file) {
  return read_whole(file, Companions::none());
}

}  // namespace chorus::tokenizer
