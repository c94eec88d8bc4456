// Writing what huggingface.h reads.

#include <fmt/format.h>

#include <map>
#include <utility>

#include "json/text.h"
#include "tokenizer/characters.h"
#include "tokenizer/huggingface.h"
#include "tokenizer/tokenizer_json.h"

namespace chorus::tokenizer {
namespace {

constexpr const char* kByteLevel =
    R"({{"type":"ByteLevel","add_prefix_space":{},"trim_offsets":{},"use_regex":true}})";

std::string flags_of(const AddedToken& token) {
  return fmt::format(R"("content":{},"single_word":{},"lstrip":{},"rstrip":{},"normalized":{},)"
                     R"("special":{})",
                     json_string(token.content), token.single_word, token.lstrip, token.rstrip,
                     token.normalized, token.special);
}

std::string name_of(const Tokenizer& tokenizer, std::int32_t id) {
  return std::string(tokenizer.token_bytes(id).value_or(""));
}

// As a tokenizer.json writes it.
std::string name_of(const ByteLevelBpe& bpe, std::int32_t id) {
  const AddedToken* added = bpe.added().find(id);
  return added != nullptr ? added->content : bpe.vocabulary().text_of(id);
}

// {"token": id, ...} of the vocabulary, and LEFT RIGHT of each merge, `between` two.
std::string vocabulary_json(const Vocabulary& vocabulary) {
  std::string json = "{";
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    if (!vocabulary.has(id)) continue;
    if (json.size() > 1) json += ',';
    json += fmt::format("{}:{}", json_string(vocabulary.text_of(id)), id);
  }
  return json + "}";
}

std::vector<std::string> merge_lines(const Vocabulary& vocabulary) {
  std::vector<std::string> lines;
  for (const Vocabulary::Merge& merge : vocabulary.merges()) {
    lines.push_back(vocabulary.text_of(merge.left) + " " + vocabulary.text_of(merge.right));
  }
  return lines;
}

std::string merges_json(const Vocabulary& vocabulary) {
  std::vector<std::string> merges;
  for (const std::string& line : merge_lines(vocabulary)) merges.push_back(json_string(line));
  return json_array(merges);
}

// Ids around every text; without any, what changes nothing.
std::string post_processor(const ByteLevelBpe& bpe) {
  const BpeRules& rules = bpe.rules();
  if (rules.prefix.empty() && rules.suffix.empty()) {
    return fmt::format(kByteLevel, true, false);
  }
  std::map<std::string, std::int32_t> special;
  auto pieces = [&](const std::vector<std::int32_t>& ids) {
    std::vector<std::string> list;
    for (std::int32_t id : ids) {
      special[name_of(bpe, id)] = id;
      list.push_back(fmt::format(R"({{"SpecialToken":{{"id":{},"type_id":0}}}})",
                                 json_string(name_of(bpe, id))));
    }
    return list;
  };
  auto text = [](char id) {
    return fmt::format(R"({{"Sequence":{{"id":"{}","type_id":0}}}})", id);
  };
  auto around = [&](std::vector<std::string> middle) {
    std::vector<std::string> all = pieces(rules.prefix);
    all.insert(all.end(), middle.begin(), middle.end());
    std::vector<std::string> behind = pieces(rules.suffix);
    all.insert(all.end(), behind.begin(), behind.end());
    return json_array(all);
  };
  std::string single = around({text('A')}), pair = around({text('A'), text('B')});
  std::vector<std::string> entries;
  for (const auto& [name, id] : special) {
    entries.push_back(
        fmt::format(R"({0}:{{"id":{0},"ids":[{1}],"tokens":[{0}]}})", json_string(name), id));
  }
  return fmt::format(
      R"({{"type":"TemplateProcessing","single":{},"pair":{},"special_tokens":{{{}}}}})", single,
      pair, fmt::join(entries, ","));
}

std::string bpe_json(const ByteLevelBpe& bpe) {
  std::vector<std::string> added;
  for (const AddedToken& token : bpe.added().all()) {
    added.push_back(fmt::format(R"({{"id":{},{}}})", token.id, flags_of(token)));
  }
  const Unknown& unknown = bpe.rules().unknown;
  std::string unk = unknown.id ? json_string(bpe.vocabulary().text_of(*unknown.id)) : "null";
  return fmt::format(
      R"({{"version":"1.0","truncation":null,"padding":null,"added_tokens":{},"normalizer":null,)"
      R"("pre_tokenizer":{},"post_processor":{},"decoder":{},"model":{{"type":"BPE",)"
      R"("dropout":null,"unk_token":{},"continuing_subword_prefix":null,)"
      R"("end_of_word_suffix":null,"fuse_unk":{},"byte_fallback":false,"ignore_merges":{},)"
      R"("vocab":{},"merges":{}}}}})",
      json_array(added), fmt::format(kByteLevel, bpe.rules().add_prefix_space, true),
      post_processor(bpe), fmt::format(kByteLevel, true, true), unk, unknown.fuses,
      bpe.rules().ignore_merges, vocabulary_json(bpe.vocabulary()), merges_json(bpe.vocabulary()));
}

// Words of one character each, which Hugging Face's tokenizers can do with what they have.
std::string characters_json(const Characters& characters) {
  std::vector<std::string> vocabulary;
  for (const auto& [id, text] : characters.texts()) {
    vocabulary.push_back(fmt::format("{}:{}", json_string(text), id));
  }
  return fmt::format(
      R"({{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,)"
      R"("pre_tokenizer":{{"type":"Split","pattern":{{"Regex":{}}},"behavior":"Isolated",)"
      R"("invert":false}},"post_processor":null,"decoder":{{"type":"Fuse"}},)"
      R"("model":{{"type":"WordLevel","vocab":{{{}}},"unk_token":"[UNK]"}}}})",
      json_string(kAnyCharacter), fmt::join(vocabulary, ","));
}

bool is_named(const Tokenizer& tokenizer, std::optional<std::int32_t> id) {
  return id && tokenizer.token_bytes(*id) && tokenizer.is_special(*id);
}

// "bos_token":"<s>",... of those that have a name.
std::vector<std::string> role_fields(const Tokenizer& tokenizer, const Roles& roles) {
  std::vector<std::string> fields;
  for (const auto& [name, id] : {std::pair("bos_token", roles.bos),
                                 {"eos_token", roles.eos},
                                 {"unk_token", roles.unk},
                                 {"pad_token", roles.pad}}) {
    if (!is_named(tokenizer, id)) continue;
    fields.push_back(fmt::format("\"{}\":{}", name, json_string(name_of(tokenizer, *id))));
  }
  return fields;
}

std::string config_json(const Tokenizer& tokenizer, const Roles& roles) {
  // Only the fast class takes a tokenizer.json as it is; GPT2Tokenizer adds tokens of its own where
  // a role has no name.
  std::vector<std::string> fields = role_fields(tokenizer, roles);
  const auto* bpe = dynamic_cast<const ByteLevelBpe*>(&tokenizer);
  bool is_gpt2 = bpe != nullptr && is_named(tokenizer, roles.bos) &&
                 is_named(tokenizer, roles.eos) && is_named(tokenizer, roles.unk);
  fields.insert(fields.begin(), fmt::format(R"("tokenizer_class":"{}")",
                                            is_gpt2 ? "GPT2Tokenizer" : "PreTrainedTokenizerFast"));
  fields.emplace_back(R"("clean_up_tokenization_spaces":false)");
  if (bpe != nullptr) {
    fields.push_back(fmt::format(R"("add_prefix_space":{})", bpe->rules().add_prefix_space));
    std::vector<std::string> added;
    for (const AddedToken& token : bpe->added().all()) {
      added.push_back(fmt::format(R"("{}":{{{}}})", token.id, flags_of(token)));
    }
    fields.push_back(fmt::format(R"("added_tokens_decoder":{{{}}})", fmt::join(added, ",")));
  }
  return fmt::format("{{{}}}\n", fmt::join(fields, ",\n "));
}

}  // namespace

std::string to_tokenizer_json(const Tokenizer& tokenizer) {
  if (const auto* bpe = dynamic_cast<const ByteLevelBpe*>(&tokenizer)) return bpe_json(*bpe);
  if (const auto* characters = dynamic_cast<const Characters*>(&tokenizer)) {
    return characters_json(*characters);
  }
  return {};
}

std::vector<NamedText> to_huggingface_files(const Tokenizer& tokenizer, const Roles& roles) {
  Roles all = roles;
  if (!all.unk) all.unk = tokenizer.roles().unk;
  if (!all.unk) all.unk = all.eos;  // as GPT-2 has it: byte-level BPE needs none
  std::vector<NamedText> files = {
      {"tokenizer.json", to_tokenizer_json(tokenizer)},
      {"tokenizer_config.json", config_json(tokenizer, all)},
      {"special_tokens_map.json",
       fmt::format("{{{}}}\n", fmt::join(role_fields(tokenizer, all), ","))}};
  if (const auto* bpe = dynamic_cast<const ByteLevelBpe*>(&tokenizer)) {
    files.push_back({"vocab.json", vocabulary_json(bpe->vocabulary())});
    files.push_back({"merges.txt", fmt::format("#version: 0.2\n{}\n",
                                               fmt::join(merge_lines(bpe->vocabulary()), "\n"))});
  }
  return files;
}

}  // namespace chorus::tokenizer
