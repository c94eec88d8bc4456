#include "tokenizer/tokenizer_json.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <unordered_map>
#include <utility>

#include "core/error_text.h"
#include "core/printable.h"
#include "json/parse.h"

namespace chorus::tokenizer {
namespace {

namespace json = boost::json;

constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

Error unsupported(std::string message) { return {ErrorCode::kUnsupported, std::move(message)}; }

Error wrong(const std::string& field, const char* expected) {
  return corrupt(field + ": expected " + expected);
}

// The field's value; null for one that is not there, or null.
const json::value* find(const json::object& object, std::string_view field) {
  const json::value* value = object.if_contains(field);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<bool> read_flag(const json::object& object, const std::string& place, const char* field,
                       bool absent) {
  const json::value* value = find(object, field);
  if (value == nullptr) return absent;
  if (!value->is_bool()) return wrong(place + field, "true or false");
  return value->get_bool();
}

Result<std::string> read_text(const json::object& object, const std::string& place,
                              const char* field, const char* absent = "") {
  const json::value* value = find(object, field);
  if (value == nullptr) return std::string(absent);
  if (!value->is_string()) return wrong(place + field, "a string");
  return std::string(value->get_string());
}

Result<std::int32_t> read_id(const json::value& value, const std::string& place) {
  bool is_id = value.is_int64() && value.get_int64() >= 0 && value.get_int64() <= INT32_MAX;
  if (!is_id) return wrong(place, "an id (a whole number of 31 bits)");
  return static_cast<std::int32_t>(value.get_int64());
}

// A part of the pipeline as an object, or null if it is not there. A Sequence of one is that one,
// and an empty one is none.
Result<const json::object*> find_part(const json::object& document, const char* field,
                                      const char* list_field) {
  const json::value* value = find(document, field);
  const json::object* none = nullptr;
  while (value != nullptr) {
    const json::object* part = value->if_object();
    if (part == nullptr) return wrong(field, "an object or null");
    const json::value* list = find(*part, list_field);
    bool is_sequence = list != nullptr && list->is_array() && list->get_array().size() <= 1;
    if (!is_sequence) return part;
    value = list->get_array().empty() ? nullptr : &list->get_array()[0];
  }
  return none;
}

Result<void> check_normalizer(const json::object& document) {
  CHORUS_TRY(const json::object* part, find_part(document, "normalizer", "normalizers"));
  if (part == nullptr) return ok();
  CHORUS_TRY(std::string type, read_text(*part, "normalizer.", "type"));
  return unsupported("normalizer is " + in_quotes(type) +
                     ": texts are encoded as they are; expected none");
}

Error not_gpt2s_split(const std::string& what) {
  return unsupported("pre_tokenizer is " + what + ": expected ByteLevel with GPT-2's pattern");
}

// A Split by GPT-2's very pattern, with a ByteLevel behind it that does not split again.
bool is_gpt2s_split(const json::array& parts) {
  if (parts.size() != 2 || !parts[0].is_object() || !parts[1].is_object()) return false;
  const json::object& split = parts[0].get_object();
  const json::object& bytes = parts[1].get_object();
  auto is = [](const json::object& object, const char* field, const json::value& value) {
    const json::value* found = object.if_contains(field);
    return found != nullptr && *found == value;
  };
  return is(split, "type", "Split") && is(split, "behavior", "Isolated") &&
         is(split, "invert", false) &&
         is(split, "pattern", json::object{{"Regex", json::string_view(kGpt2Pattern)}}) &&
         is(bytes, "type", "ByteLevel") && is(bytes, "use_regex", false) &&
         is(bytes, "add_prefix_space", false);
}

Result<void> read_pre_tokenizer(const json::object& document, BpeRules& rules) {
  CHORUS_TRY(const json::object* part, find_part(document, "pre_tokenizer", "pretokenizers"));
  if (part == nullptr) return not_gpt2s_split("null");
  CHORUS_TRY(std::string type, read_text(*part, "pre_tokenizer.", "type"));
  if (type == "Sequence") {
    const json::value* parts = find(*part, "pretokenizers");
    if (parts != nullptr && parts->is_array() && is_gpt2s_split(parts->get_array())) return ok();
    return not_gpt2s_split("a Sequence of others");
  }
  if (type != "ByteLevel") return not_gpt2s_split(in_quotes(type));
  CHORUS_TRY(bool use_regex, read_flag(*part, "pre_tokenizer.", "use_regex", true));
  if (!use_regex) return not_gpt2s_split("ByteLevel without its pattern (use_regex false)");
  CHORUS_TRY(rules.add_prefix_space, read_flag(*part, "pre_tokenizer.", "add_prefix_space", true));
  return ok();
}

// {"SpecialToken": {"id": "<s>"}} or {"Sequence": {"id": "A"}}, in order; the ids of the tokens
// stand beside them.
Result<void> read_template(const json::object& part, BpeRules& rules) {
  const std::string place = "post_processor.single";
  const json::value* single = find(part, "single");
  const json::value* ids = find(part, "special_tokens");
  if (single == nullptr || !single->is_array()) return wrong(place, "an array");
  bool is_behind = false;
  for (const json::value& piece : single->get_array()) {
    if (!piece.is_object()) return wrong(place, "objects");
    if (piece.get_object().contains("Sequence")) {
      if (is_behind) return unsupported(place + ": the text stands in it twice");
      is_behind = true;
      continue;
    }
    const json::value* token = find(piece.get_object(), "SpecialToken");
    const json::value* name =
        token != nullptr && token->is_object() ? find(token->get_object(), "id") : nullptr;
    if (name == nullptr || !name->is_string()) return wrong(place, "SpecialToken or Sequence");
    const json::value* entry =
        ids != nullptr && ids->is_object() ? find(ids->get_object(), name->get_string()) : nullptr;
    const json::value* list =
        entry != nullptr && entry->is_object() ? find(entry->get_object(), "ids") : nullptr;
    if (list == nullptr || !list->is_array()) {
      return corrupt("post_processor.special_tokens does not have " +
                     in_quotes(name->get_string()));
    }
    for (const json::value& value : list->get_array()) {
      CHORUS_TRY(std::int32_t id, read_id(value, "post_processor.special_tokens"));
      (is_behind ? rules.suffix : rules.prefix).push_back(id);
    }
  }
  if (!is_behind) return unsupported(place + ": the text does not stand in it");
  return ok();
}

Result<void> read_post_processor(const json::object& document, BpeRules& rules) {
  const json::value* value = find(document, "post_processor");
  if (value == nullptr) return ok();
  if (!value->is_object()) return wrong("post_processor", "an object or null");
  std::vector<const json::value*> parts = {value};
  if (const json::value* list = find(value->get_object(), "processors")) {
    if (!list->is_array()) return wrong("post_processor.processors", "an array");
    parts.clear();
    for (const json::value& part : list->get_array()) parts.push_back(&part);
  }
  bool has_template = false;
  for (const json::value* part : parts) {
    if (!part->is_object()) return wrong("post_processor", "an object or null");
    CHORUS_TRY(std::string type, read_text(part->get_object(), "post_processor.", "type"));
    if (type == "ByteLevel") continue;  // changes offsets alone
    if (type != "TemplateProcessing" || std::exchange(has_template, true)) {
      return unsupported("post_processor is " + in_quotes(type) +
                         "; expected ByteLevel or one TemplateProcessing");
    }
    CHORUS_TRY(read_template(part->get_object(), rules));
  }
  return ok();
}

Result<void> check_decoder(const json::object& document, std::vector<std::string>& notes) {
  CHORUS_TRY(const json::object* part, find_part(document, "decoder", "decoders"));
  if (part == nullptr) {
    notes.emplace_back("the tokenizer states no decoder: ids are decoded as ByteLevel has it");
    return ok();
  }
  CHORUS_TRY(std::string type, read_text(*part, "decoder.", "type"));
  if (type == "ByteLevel") return ok();
  return unsupported("decoder is " + in_quotes(type) + "; expected ByteLevel");
}

Result<void> read_merges(const json::object& model, std::vector<MergeTexts>& merges) {
  const json::value* list = find(model, "merges");
  if (list == nullptr || !list->is_array()) return wrong("model.merges", "an array");
  for (const json::value& value : list->get_array()) {
    MergeTexts merge;
    if (value.is_string()) {
      merge = split_merge(value.get_string());
    } else if (value.is_array() && value.get_array().size() == 2 &&
               value.get_array()[0].is_string() && value.get_array()[1].is_string()) {
      merge = {value.get_array()[0].get_string(), value.get_array()[1].get_string()};
    }
    if (merge.left.empty() || merge.right.empty()) {
      return wrong(fmt::format("model.merges[{}]", merges.size()),
                   "two tokens, as \"LEFT RIGHT\" or an array");
    }
    merges.push_back(merge);
  }
  return ok();
}

// Whatever else a BPE may have would change its ids.
Result<void> check_other_rules(const json::object& model) {
  const json::value* dropout = find(model, "dropout");
  if (dropout != nullptr && !(dropout->is_number() && dropout->to_number<double>() == 0.0)) {
    return unsupported("model.dropout is set, which makes ids a matter of chance; expected null");
  }
  for (const char* field : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    CHORUS_TRY(std::string text, read_text(model, "model.", field));
    if (!text.empty()) {
      return unsupported(fmt::format("model.{} is {}; expected none", field, in_quotes(text)));
    }
  }
  CHORUS_TRY(bool byte_fallback, read_flag(model, "model.", "byte_fallback", false));
  if (byte_fallback) return unsupported("model.byte_fallback is true; expected false");
  return ok();
}

Result<void> read_bpe(const json::object& model, BpeParts& parts) {
  CHORUS_TRY(check_normalizer(parts.document));
  CHORUS_TRY(read_pre_tokenizer(parts.document, parts.rules));
  CHORUS_TRY(read_post_processor(parts.document, parts.rules));
  CHORUS_TRY(check_decoder(parts.document, parts.notes));
  CHORUS_TRY(check_other_rules(model));
  const json::value* vocabulary = find(model, "vocab");
  if (vocabulary == nullptr || !vocabulary->is_object()) return wrong("model.vocab", "an object");
  CHORUS_TRY(parts.tokens, in_place(tokens_of(vocabulary->get_object()), "model.vocab"));
  CHORUS_TRY(read_merges(model, parts.merges));
  CHORUS_TRY(parts.rules.unknown.fuses, read_flag(model, "model.", "fuse_unk", false));
  CHORUS_TRY(parts.rules.ignore_merges, read_flag(model, "model.", "ignore_merges", false));
  CHORUS_TRY(std::string unk, read_text(model, "model.", "unk_token"));
  if (!unk.empty()) parts.unk_token = std::move(unk);
  return ok();
}

// What to_tokenizer_json makes of characters: words of one, whatever it is.
Result<std::map<std::int32_t, std::string>> read_characters(const json::object& document,
                                                            const json::object& model) {
  CHORUS_TRY(const json::object* split, find_part(document, "pre_tokenizer", "pretokenizers"));
  const json::value* pattern = split == nullptr ? nullptr : find(*split, "pattern");
  if (pattern == nullptr || *pattern != json::object{{"Regex", kAnyCharacter}}) {
    return unsupported("model.type is 'WordLevel'; expected 'BPE'");
  }
  const json::value* vocabulary = find(model, "vocab");
  if (vocabulary == nullptr || !vocabulary->is_object()) return wrong("model.vocab", "an object");
  std::map<std::int32_t, std::string> texts;
  CHORUS_TRY(auto tokens, in_place(tokens_of(vocabulary->get_object()), "model.vocab"));
  for (const TokenText& token : tokens) {
    if (texts.emplace(token.id, token.text).second) continue;
    return corrupt(fmt::format("model.vocab: the id {} stands twice", token.id));
  }
  if (texts.empty()) return wrong("model.vocab", "characters");
  return texts;
}

}  // namespace

Result<std::vector<TokenText>> tokens_of(const json::object& vocabulary) {
  std::vector<TokenText> tokens;
  tokens.reserve(vocabulary.size());
  for (const auto& [text, value] : vocabulary) {
    CHORUS_TRY(std::int32_t id, read_id(value, "token " + in_quotes(text)));
    tokens.push_back({id, text});
  }
  return tokens;
}

Result<AddedToken> parse_added_token(const json::object& object, const std::string& place) {
  AddedToken token;
  const json::value* content = find(object, "content");
  if (content == nullptr || !content->is_string()) return wrong(place + ".content", "a string");
  token.content = std::string(content->get_string());
  CHORUS_TRY(token.special, read_flag(object, place + ".", "special", false));
  CHORUS_TRY(token.lstrip, read_flag(object, place + ".", "lstrip", false));
  CHORUS_TRY(token.rstrip, read_flag(object, place + ".", "rstrip", false));
  CHORUS_TRY(token.single_word, read_flag(object, place + ".", "single_word", false));
  CHORUS_TRY(token.normalized, read_flag(object, place + ".", "normalized", !token.special));
  if (const json::value* id = find(object, "id")) {
    CHORUS_TRY(token.id, read_id(*id, place + ".id"));
  }
  return token;
}

Result<TokenizerParts> parse_tokenizer_json(std::string_view text) {
  TokenizerParts parts;
  CHORUS_TRY(parts.bpe.document, parse_json_object(text));
  const json::object& document = parts.bpe.document;
  const json::value* model_value = find(document, "model");
  if (model_value == nullptr || !model_value->is_object()) return wrong("model", "an object");
  const json::object& model = model_value->get_object();
  bool looks_like_bpe =
      model.contains("vocab") && model.contains("merges");  // old ones say no type
  CHORUS_TRY(std::string type, read_text(model, "model.", "type", looks_like_bpe ? "BPE" : "none"));
  if (type == "WordLevel") {
    CHORUS_TRY(parts.characters, read_characters(document, model));
    return parts;
  }
  if (type != "BPE") return unsupported("model.type is " + in_quotes(type) + "; expected 'BPE'");
  CHORUS_TRY(read_bpe(model, parts.bpe));
  const json::value* added = find(document, "added_tokens");
  if (added == nullptr) return parts;
  if (!added->is_array()) return wrong("added_tokens", "an array");
  std::unordered_map<std::int32_t, std::size_t> places;  // by id
  for (const json::value& value : added->get_array()) {
    std::string place = fmt::format("added_tokens[{}]", parts.bpe.added.size());
    if (!value.is_object()) return wrong(place, "an object");
    CHORUS_TRY(AddedToken token, parse_added_token(value.get_object(), place));
    if (token.id == kNoToken) return wrong(place + ".id", "an id");
    auto [same, is_new] = places.emplace(token.id, parts.bpe.added.size());
    if (!is_new) {
      return corrupt(fmt::format("added tokens {} and {} have the same id, {}",
                                 in_quotes(parts.bpe.added[same->second].content),
                                 in_quotes(token.content), token.id));
    }
    parts.bpe.added.push_back(std::move(token));
  }
  return parts;
}

}  // namespace chorus::tokenizer
