#include "checkpoint/model_tokenizer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "checkpoint/chat_template.h"
#include "checkpoint/generation_options.h"
#include "checkpoint/pytorch/meta_pickle.h"
#include "checkpoint/safetensors/safetensors.h"
#include "checkpoint/token_ids.h"
#include "core/error_text.h"
#include "core/placeholder.h"
#include "core/printable.h"
#include "json/parse.h"
#include "tokenizer/byte_level_bpe.h"

namespace chorus::checkpoint {
namespace {

namespace fs = std::filesystem;
using tokenizer::HuggingFaceFiles;
using tokenizer::ReadTokenizer;

constexpr const char* kNone = "none";
constexpr const char* kGpt2 = "gpt2";
// A vocabulary is a tokenizer's own if it is no smaller, and no more than this larger: padding, and
// what was added to it.
constexpr std::int64_t kMostUnnamed = 1024;
constexpr std::uintmax_t kLargestMeta = 64 << 20;

bool has_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

Result<std::optional<Bytes>> map_if_there(const fs::path& path) {
  if (!has_file(path)) return std::optional<Bytes>();
  CHORUS_TRY(Bytes bytes, map_file(path));
  if (auto message = placeholder_message(bytes.text())) {
    return Error{ErrorCode::kUnsupported, path.string() + ": " + *message};
  }
  return std::optional(std::move(bytes));
}

// The names that OpenAI gave the same two files stand behind Hugging Face's.
Result<HuggingFaceFiles> find_files(const fs::path& folder) {
  HuggingFaceFiles files;
  CHORUS_TRY(files.tokenizer_json, map_if_there(folder / "tokenizer.json"));
  CHORUS_TRY(files.vocab_json, map_if_there(folder / "vocab.json"));
  if (!files.vocab_json) {
    CHORUS_TRY(files.vocab_json, map_if_there(folder / "encoder.json"));
  }
  CHORUS_TRY(files.merges, map_if_there(folder / "merges.txt"));
  if (!files.merges) {
    CHORUS_TRY(files.merges, map_if_there(folder / "vocab.bpe"));
  }
  CHORUS_TRY(files.added_tokens, map_if_there(folder / "added_tokens.json"));
  CHORUS_TRY(files.special_tokens_map, map_if_there(folder / "special_tokens_map.json"));
  CHORUS_TRY(files.tokenizer_config, map_if_there(folder / "tokenizer_config.json"));
  return files;
}

// Kinds of tokenizers that are known by their files' names, and not read.
Error another_kind(const fs::path& file, const char* kind) {
  return {ErrorCode::kUnsupported,
          file.string() + ": a tokenizer of another kind (" + kind +
              "); byte-level BPE (tokenizer.json, or vocab.json with merges.txt) and characters "
              "(meta.pkl) are read"};
}

Result<void> refuse_other_kinds(const fs::path& folder) {
  for (const char* name : {"spiece.model", "tokenizer.model", "sentencepiece.bpe.model"}) {
    if (has_file(folder / name)) return another_kind(folder / name, "SentencePiece");
  }
  if (has_file(folder / "vocab.txt")) return another_kind(folder / "vocab.txt", "WordPiece");
  return ok();
}

Result<ReadTokenizer> read_meta(const fs::path& path) {
  std::error_code ignored;
  if (fs::file_size(path, ignored) > kLargestMeta) {
    return Error{ErrorCode::kUnsupported, path.string() + ": too large for a meta.pkl"};
  }
  CHORUS_TRY(Bytes bytes, map_file(path));
  CHORUS_TRY(auto tokenizer, read_meta_pickle(bytes));
  return ReadTokenizer{std::move(tokenizer), {}};
}

// `size`: of the tokenizer, without ids that no file states.
bool fits(std::int64_t size, std::int64_t vocab_size) {
  return size <= vocab_size && vocab_size - size < kMostUnnamed;
}

// "gpt2", "none" or a tokenizer.json.
Result<ReadTokenizer> read_held(const std::string& held, const std::string& place) {
  if (held == kGpt2) return ReadTokenizer{tokenizer::Tokenizer::gpt2(), {}};
  Bytes bytes = copy_bytes(place + ": metadata chorus.tokenizer", held);
  return tokenizer::read_tokenizer_json(bytes);
}

// Where nanoGPT keeps the meta.pkl of a checkpoint: with the data, in the folder that it runs in,
// which is most often the one above its output's. Beside the checkpoint is where people put it.
std::vector<fs::path> places_of_meta(const fs::path& folder, const std::string& dataset) {
  std::vector<fs::path> places = {folder / "meta.pkl"};
  bool is_name = !dataset.empty() && dataset.find('/') == std::string::npos && dataset[0] != '.' &&
                 dataset.find('\0') == std::string::npos;
  if (!is_name) return places;
  fs::path data = fs::path("data") / dataset / "meta.pkl";
  for (const fs::path& root : {folder, folder / "..", folder / ".." / "..", fs::path(".")}) {
    places.push_back((root / data).lexically_normal());
  }
  return places;
}

class Chooser {
 public:
  Chooser(Checkpoint& checkpoint, const TokenizerHints& hints)
      : checkpoint_(checkpoint), hints_(hints), vocab_size_(checkpoint.config.vocab_size) {
    const std::string& place = hints.place;
    if (!place.empty()) {
      folder_ = is_folder(place) ? fs::path(place) : fs::path(place).parent_path();
      if (folder_.empty()) folder_ = ".";
    }
    is_own_folder_ = !place.empty() && checkpoint.format == "huggingface";
  }

  Result<void> choose(const OpenOptions& options) {
    if (!options.tokenizer) {
      find();
    } else if (*options.tokenizer == kNone) {
      checkpoint_.no_tokenizer = "the tokenizer is none: the model takes ids alone";
    } else {
      CHORUS_TRY(ReadTokenizer read, read_tokenizer(*options.tokenizer));
      take(std::move(read));
    }
    return choose_ids();
  }

 private:
  // The first of: the folder's files, what a converted file holds, nanoGPT's meta.pkl, files that
  // lie beside a checkpoint, GPT-2's by the vocabulary's size.
  void find() {
    if (is_own_folder_ && found_in_folder()) return;
    if (!hints_.tokenizer.empty() && hints_.tokenizer != kNone) {
      take_or_refuse(read_held(hints_.tokenizer, checkpoint_.path));
      return;
    }
    if (!folder_.empty() && !is_own_folder_ && (found_meta() || found_beside())) return;
    use_size();
  }

  bool found_in_folder() {
    Result<HuggingFaceFiles> files = find_files(folder_);
    if (!files) return refuse(files.assume_error());
    if (files.assume_value().has_vocabulary()) {
      return take_or_refuse(tokenizer::read_huggingface(files.assume_value()));
    }
    if (auto other = refuse_other_kinds(folder_); !other) return refuse(other.assume_error());
    if (files.assume_value().is_empty() || !has_gpt2s_size() || !hints_.tokenizer.empty()) {
      return false;
    }
    Result<ReadTokenizer> read = tokenizer::read_huggingface(files.assume_value());
    if (read) note_gpt2("no vocabulary lies beside the model");
    return take_or_refuse(std::move(read));
  }

  bool found_meta() {
    for (const fs::path& path : places_of_meta(folder_, hints_.dataset)) {
      if (has_file(path) && take_if_it_fits(read_meta(path), path)) return true;
    }
    return false;
  }

  bool found_beside() {
    Result<HuggingFaceFiles> files = find_files(folder_);
    if (!files || !files.assume_value().has_vocabulary()) return false;
    const HuggingFaceFiles& found = files.assume_value();
    const Bytes& file = found.tokenizer_json ? *found.tokenizer_json
                        : found.vocab_json   ? *found.vocab_json
                                             : *found.merges;
    return take_if_it_fits(tokenizer::read_huggingface(found), file.name);
  }

  // What lies near a file need not belong to it.
  bool take_if_it_fits(Result<ReadTokenizer> read, const fs::path& path) {
    if (!read) {
      checkpoint_.notes.push_back(read.assume_error().message + ": passed over");
      return false;
    }
    const tokenizer::Tokenizer& tokenizer = *read.assume_value().tokenizer;
    if (!fits(tokenizer.size() - read.assume_value().given, vocab_size_)) {
      checkpoint_.notes.push_back(
          fmt::format("{}: passed over, as it names {} ids and the model has {}", path.string(),
                      tokenizer.size(), vocab_size_));
      return false;
    }
    checkpoint_.notes.push_back(fmt::format("the tokenizer is {} ({}), which lies near the model",
                                            path.string(), tokenizer.description()));
    return take_or_refuse(std::move(read));
  }

  bool has_gpt2s_size() const { return fits(tokenizer::Tokenizer::gpt2()->size(), vocab_size_); }

  void use_size() {
    if (hints_.tokenizer == kNone) {
      checkpoint_.no_tokenizer = "the file was written without a tokenizer" + what_to_do();
      return;
    }
    if (!has_gpt2s_size()) {
      checkpoint_.no_tokenizer =
          fmt::format(
              "the model's vocabulary of {} ids is not GPT-2's, and no tokenizer lies "
              "beside it",
              vocab_size_) +
          what_to_do();
      return;
    }
    if (!folder_.empty()) note_gpt2("no tokenizer lies beside the model");
    take({tokenizer::Tokenizer::gpt2(), {}});
  }

  void note_gpt2(const char* why) {
    checkpoint_.notes.push_back(fmt::format(
        "{}: GPT-2's is used, as its vocabulary has {} ids (--tokenizer says otherwise)", why,
        vocab_size_));
  }

  static std::string what_to_do() { return ": it takes ids alone (a text needs --tokenizer PATH)"; }

  void take(ReadTokenizer read) {
    checkpoint_.tokenizer = std::move(read.tokenizer);
    for (std::string& note : read.notes) checkpoint_.notes.push_back(std::move(note));
  }

  bool refuse(const Error& error) {
    checkpoint_.no_tokenizer = error.message + what_to_do();
    checkpoint_.notes.push_back("no tokenizer: " + checkpoint_.no_tokenizer);
    return true;
  }

  bool take_or_refuse(Result<ReadTokenizer> read) {
    if (!read) return refuse(read.assume_error());
    take(std::move(read.assume_value()));
    return true;
  }

  void find_chat_template() {
    auto found = read_chat_template(folder_);
    if (found) {
      checkpoint_.chat_template = std::move(found.assume_value());
    } else {
      checkpoint_.notes.push_back("no chat template: " + found.assume_error().message);
    }
  }

  Result<void> choose_ids() {
    if (is_own_folder_) find_chat_template();
    StatedTokenIds config, generation;
    if (!hints_.token_ids.empty()) {
      CHORUS_TRY(boost::json::object held,
                 in_place(parse_json_object(hints_.token_ids),
                          checkpoint_.path + ": metadata chorus.token_ids"));
      CHORUS_TRY(config,
                 in_place(read_token_ids(held), checkpoint_.path + ": metadata chorus.token_ids"));
    }
    if (is_own_folder_) {
      CHORUS_TRY(read_generation(config, generation));
    }
    TokenIds otherwise;
    if (checkpoint_.tokenizer != nullptr) {
      const tokenizer::Roles& roles = checkpoint_.tokenizer->roles();
      otherwise.bos = roles.bos;
      if (roles.eos) otherwise.eos = {*roles.eos};
      otherwise.pad = roles.pad;
    }
    // GPT2Config's own.
    bool is_unstated = is_own_folder_ && hints_.token_ids.empty() && !config.eos && !generation.eos;
    if (is_unstated && otherwise.eos.empty()) otherwise.eos = {tokenizer::kEndOfText};
    bool is_in_vocabulary = !otherwise.eos.empty() && otherwise.eos[0] < vocab_size_;
    if (is_unstated && is_in_vocabulary && otherwise.eos[0] != tokenizer::kEndOfText) {
      checkpoint_.notes.push_back(
          fmt::format("no eos_token_id is stated: the tokenizer's own, {}, ends a text, where "
                      "transformers takes {}",
                      otherwise.eos[0], tokenizer::kEndOfText));
    }
    checkpoint_.token_ids =
        resolve_token_ids(config, generation, otherwise, vocab_size_, checkpoint_.notes);
    return ok();
  }

  // What config.json and generation_config.json state, as transformers joins them: the second, where
  // it is there, is all that counts for what ends a text, unless it was made of a config.json that has
  // options of its own.
  Result<void> read_generation(StatedTokenIds& config, StatedTokenIds& generation) {
    CHORUS_TRY(std::optional<StatedGeneration> of_config, read_stated("config.json"));
    CHORUS_TRY(std::optional<StatedGeneration> of_generation,
               read_stated("generation_config.json"));
    if (of_config) config = of_config->ids;
    if (of_generation && of_generation->is_from_config && of_config &&
        !of_config->options.empty()) {
      of_generation.reset();
    }
    const char* source = of_generation ? "generation_config.json" : "config.json";
    if (of_generation) {
      generation = of_generation->ids;
      if (!generation.eos && config.eos && !config.eos->empty()) {
        generation.eos.emplace();
        checkpoint_.notes.push_back(fmt::format(
            "generation_config.json states no eos_token_id: no token ends a text, as in "
            "transformers (--stop-ids {} ends it where config.json says)",
            fmt::join(*config.eos, ",")));
      }
    }
    const auto& options = of_generation ? of_generation->options
                          : of_config   ? of_config->options
                                        : std::vector<std::string>();
    if (!options.empty()) {
      checkpoint_.notes.push_back(
          fmt::format("{} states options of transformers' generate(), which are the request's "
                      "here and not taken from the file: {}",
                      source, fmt::join(options, ", ")));
    }
    return ok();
  }

  struct StatedGeneration {
    StatedTokenIds ids;
    std::vector<std::string> options;
    bool is_from_config;  // written by transformers out of config.json
  };

  // Empty if there is no such file.
  Result<std::optional<StatedGeneration>> read_stated(const char* name) {
    CHORUS_TRY(std::optional<Bytes> file, map_if_there(folder_ / name));
    if (!file) return std::optional<StatedGeneration>();
    CHORUS_TRY(boost::json::object object, in_place(parse_json_object(file->text()), file->name));
    CHORUS_TRY(StatedTokenIds ids, in_place(read_token_ids(object), file->name));
    const boost::json::value* from_config = object.if_contains("_from_model_config");
    return std::optional(StatedGeneration{
        .ids = std::move(ids),
        .options =
            stated_generation_options(object, name == std::string_view("generation_config.json")),
        .is_from_config =
            from_config != nullptr && from_config->is_bool() && from_config->get_bool()});
  }

  Checkpoint& checkpoint_;
  const TokenizerHints& hints_;
  std::int64_t vocab_size_;
  fs::path folder_;             // that the checkpoint lies in, or is; empty if there is none
  bool is_own_folder_ = false;  // a Hugging Face folder, whose files belong together
};

Result<ReadTokenizer> read_folder(const fs::path& folder) {
  CHORUS_TRY(HuggingFaceFiles files, find_files(folder));
  if (files.has_vocabulary()) return tokenizer::read_huggingface(files);
  if (has_file(folder / "meta.pkl")) return read_meta(folder / "meta.pkl");
  CHORUS_TRY(refuse_other_kinds(folder));
  return Error{ErrorCode::kNotFound, folder.string() +
                                         ": a folder without a tokenizer; expected tokenizer.json, "
                                         "vocab.json with merges.txt, or meta.pkl"};
}

Result<ReadTokenizer> read_converted(const Bytes& bytes) {
  CHORUS_TRY(SafetensorsContent content, read_safetensors(bytes));
  auto found = content.metadata.find("chorus.tokenizer");
  if (found != content.metadata.end() && found->second != kNone) {
    return read_held(found->second, bytes.name);
  }
  return Error{ErrorCode::kNotFound, bytes.name + ": holds no tokenizer"};
}

Result<ReadTokenizer> read_file(const fs::path& path) {
  std::string name = path.filename();
  fs::path folder = path.parent_path().empty() ? fs::path(".") : path.parent_path();
  for (const char* part :
       {"tokenizer.json", "vocab.json", "encoder.json", "merges.txt", "vocab.bpe"}) {
    if (name != part) continue;
    CHORUS_TRY(HuggingFaceFiles files, find_files(folder));
    if (name != "tokenizer.json") files.tokenizer_json.reset();
    return tokenizer::read_huggingface(files);
  }
  if (name == "vocab.txt") return another_kind(path, "WordPiece");
  if (name.ends_with(".model")) return another_kind(path, "SentencePiece");
  CHORUS_TRY(Bytes bytes, map_file(path));
  if (bytes.text().starts_with('\x80')) return read_meta(path);
  if (looks_like_safetensors(bytes)) return read_converted(bytes);
  if (bytes.text().starts_with('{')) return tokenizer::read_tokenizer_json(bytes);
  return Error{ErrorCode::kUnsupported,
               bytes.name +
                   ": not a tokenizer; expected tokenizer.json, vocab.json or merges.txt "
                   "with the other beside it, nanoGPT's meta.pkl, a folder of these, or "
                   "a file that chorus convert wrote"};
}

}  // namespace

Result<void> choose_tokenizer(Checkpoint& checkpoint, const TokenizerHints& hints,
                              const OpenOptions& options) {
  return Chooser(checkpoint, hints).choose(options);
}

Result<ReadTokenizer> read_tokenizer(const std::string& name) {
  if (name == kGpt2) return ReadTokenizer{tokenizer::Tokenizer::gpt2(), {}};
  if (is_folder(name)) return read_folder(name);
  return read_file(name);
}

}  // namespace chorus::checkpoint
