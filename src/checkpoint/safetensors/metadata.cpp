#include "checkpoint/safetensors/metadata.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <utility>
#include <vector>

#include "checkpoint/gpt2/config_json.h"
#include "checkpoint/safetensors/quantised.h"
#include "checkpoint/token_ids.h"
#include "core/error_text.h"
#include "core/printable.h"
#include "tokenizer/huggingface.h"

namespace chorus::checkpoint {
namespace {

constexpr const char* kConfig = "chorus.config";
constexpr const char* kAssumed = "chorus.assumed";
constexpr const char* kOrigin = "chorus.origin";
constexpr const char* kTokenizer = "chorus.tokenizer";
constexpr const char* kTokenIds = "chorus.token_ids";
constexpr const char* kStep = "chorus.step";
constexpr const char* kValLoss = "chorus.val_loss";

template <class Number>
Result<void> read_number(const std::map<std::string, std::string>& metadata, const char* key,
                         std::optional<Number>& result) {
  auto found = metadata.find(key);
  if (found == metadata.end()) return ok();
  const std::string& text = found->second;
  Number number{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error{ErrorCode::kCorrupt,
                 fmt::format("metadata {} is {}; expected a number", key, in_quotes(text))};
  }
  result = number;
  return ok();
}

// The fields that may be assumed (see completion.h), and the options that say otherwise.
constexpr std::pair<const char*, const char*> kAssumable[] = {
    {"n_head", "--n-head"}, {"activation_function", "--activation"}};

// So that a file goes on telling what the one it was made of left open.
void read_assumed(const std::string& names, ConfigFields& config) {
  for (auto [field, option] : kAssumable) {
    if ((" " + names + " ").find(fmt::format(" {} ", field)) == std::string::npos) continue;
    config.sources[field] = ValueSource::kAssumed;
    config.notes.push_back(
        fmt::format("{} was not stated when the file was made, and assumed ({} says otherwise)",
                    field, option));
  }
}

std::string assumed_of(const ValueSources& sources) {
  std::vector<std::string> names;
  for (const auto& [field, source] : sources) {
    if (source == ValueSource::kAssumed) names.push_back(field);
  }
  return fmt::format("{}", fmt::join(names, " "));
}

std::string tokenizer_text(const tokenizer::Tokenizer* tokenizer) {
  if (tokenizer == nullptr) return "none";
  if (tokenizer == tokenizer::Tokenizer::gpt2().get()) return "gpt2";
  return tokenizer::to_tokenizer_json(*tokenizer);
}

}  // namespace

bool has_own_config(const std::map<std::string, std::string>& metadata) {
  return metadata.contains(kConfig);
}

Result<void> read_own_config(const std::map<std::string, std::string>& metadata,
                             RawCheckpoint& raw) {
  auto found = metadata.find(kConfig);
  if (found == metadata.end()) return ok();
  CHORUS_TRY(raw.config,
             in_place(parse_config_json(found->second), std::string("metadata ") + kConfig));
  if (auto assumed = metadata.find(kAssumed); assumed != metadata.end()) {
    read_assumed(assumed->second, raw.config);
  }
  return ok();
}

Result<void> read_own_figures(const std::map<std::string, std::string>& metadata,
                              RawCheckpoint& raw) {
  if (auto found = metadata.find(kOrigin); found != metadata.end()) {
    std::optional<Origin> origin = parse_origin(found->second);
    if (!origin) {
      return Error{ErrorCode::kUnsupported,
                   fmt::format("metadata {} is {}; expected talk, nanogpt or transformers", kOrigin,
                               in_quotes(found->second))};
    }
    raw.origin = *origin;
  }
  if (auto found = metadata.find(kTokenizer); found != metadata.end()) {
    raw.tokenizer_hints.tokenizer = found->second;
  }
  if (auto found = metadata.find(kTokenIds); found != metadata.end()) {
    raw.tokenizer_hints.token_ids = found->second;
  }
  CHORUS_TRY(read_number(metadata, kStep, raw.step));
  return read_number(metadata, kValLoss, raw.val_loss);
}

std::map<std::string, std::string> own_metadata(const Checkpoint& checkpoint, bool with_tokenizer) {
  std::map<std::string, std::string> metadata = {{"format", "pt"},
                                                 {kConfig, config_to_json(checkpoint.config)}};
  if (std::string assumed = assumed_of(checkpoint.sources); !assumed.empty()) {
    metadata[kAssumed] = assumed;
  }
  metadata[kOrigin] = origin_name(checkpoint.origin);
  if (with_tokenizer) {
    metadata[kTokenizer] = tokenizer_text(checkpoint.tokenizer.get());
    metadata[kTokenIds] = "{" + token_ids_fields(checkpoint.token_ids) + "}";
  }
  if (!checkpoint.quantised.empty()) metadata[kQuantised] = quantised_metadata();
  if (checkpoint.step) metadata[kStep] = fmt::format("{}", *checkpoint.step);
  if (checkpoint.val_loss) metadata[kValLoss] = fmt::format("{}", *checkpoint.val_loss);
  return metadata;
}

}  // namespace chorus::checkpoint
