#include "engine/request_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace chorus::engine {
namespace {

Error invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

Result<void> check_range(const char* field, std::int64_t value, std::int64_t least,
                         std::int64_t most) {
  if (value >= least && value <= most) return ok();
  return invalid(fmt::format("{}: expected {} to {}, found {}", field, least, most, value));
}

Result<void> check_max_length(const Request& request, const ModelInfo& info) {
  if (request.past_block == PastBlock::kCrop) {
    return check_range("max_length", request.max_length, 1, kMostTokens);
  }
  if (request.max_length >= 1 && request.max_length <= info.block_size) return ok();
  return invalid(fmt::format("max_length: expected 1 to {} (the model's block size), found {}{}",
                             info.block_size, request.max_length,
                             request.max_length < 1 ? "" : "; past_block crop goes on past it"));
}

Result<void> check_lengths(const Request& request, const ModelInfo& info) {
  if (request.prompt.empty()) return invalid("prompt: expected at least one token, found none");
  CHORUS_TRY(check_max_length(request, info));
  if (request.prompt.size() > static_cast<std::size_t>(request.max_length)) {
    return invalid(fmt::format("prompt: expected at most max_length = {} tokens, found {}",
                               request.max_length, request.prompt.size()));
  }
  if (request.max_length <= info.block_size) return ok();
  std::int64_t in_all = std::int64_t{request.n} * request.max_length;
  if (in_all > kMostTokensInAll) {
    return invalid(
        fmt::format("max_length: expected at most {} tokens of all samples past the "
                    "model's block, found {} samples of {}",
                    kMostTokensInAll, request.n, request.max_length));
  }
  if ((request.prompt_logprobs || request.prompt_logits) &&
      request.prompt.size() > static_cast<std::size_t>(info.block_size)) {
    return invalid(
        fmt::format("{}: expected a prompt of at most {} tokens (the model's block size), found {}",
                    request.prompt_logprobs ? "prompt_logprobs" : "prompt_logits", info.block_size,
                    request.prompt.size()));
  }
  return ok();
}

Result<void> check_lists(const Request& request, const ModelInfo& info) {
  auto check_count = [](const char* field, std::size_t count, std::size_t most) -> Result<void> {
    if (count <= most) return ok();
    return invalid(fmt::format("{}: expected at most {} entries, found {}", field, most, count));
  };
  CHORUS_TRY(check_count("stop", request.stop.size(), kMostStopStrings));
  std::size_t bytes = 0;
  for (const std::string& string : request.stop) bytes += string.size();
  if (bytes > kMostStopBytes) {
    return invalid(
        fmt::format("stop: expected at most {} bytes in all, found {}", kMostStopBytes, bytes));
  }
  CHORUS_TRY(check_count("stop_token_ids", request.stop_ids.size(), kMostStopIds));
  CHORUS_TRY(check_ids(request.stop_ids, "stop_token_ids", info));
  return check_count("logit_bias", request.sampling.logit_bias.size(), kMostLogitBiases);
}

}  // namespace

Result<void> check(const Request& request, const ModelInfo& info) {
  CHORUS_TRY(check_range("n", request.n, 1, kMostSamples));
  CHORUS_TRY(check_lengths(request, info));
  CHORUS_TRY(check_ids(request.prompt, "prompt", info));
  CHORUS_TRY(chorus::check(request.sampling));
  CHORUS_TRY(check_lists(request, info));
  CHORUS_TRY(check_range("min_tokens", request.min_tokens, 0,
                         std::max(info.block_size, request.max_length)));
  CHORUS_TRY(check_range("logprobs", request.logprobs.value_or(0), 0, kMostLogprobs));
  CHORUS_TRY(check_range("prompt_logprobs", request.prompt_logprobs.value_or(0), 0, kMostLogprobs));
  if (request.prompt_boundaries && !request.prompt_logprobs) {
    return invalid("prompt_boundaries: expected prompt_logprobs beside it, found none");
  }
  return ok();
}

Result<void> check_ids(std::span<const std::int32_t> ids, const char* field,
                       const ModelInfo& info) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < info.vocab_size) continue;
    return invalid(
        fmt::format("{}[{}]: expected an id from 0 to {} (the model's vocabulary), found {}", field,
                    i, info.vocab_size - 1, ids[i]));
  }
  return ok();
}

}  // namespace chorus::engine
