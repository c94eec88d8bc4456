#include "chorus/request_length.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace chorus {
namespace {

Error invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

}  // namespace

Result<std::int32_t> total_length(const LengthAsked& asked, std::size_t prompt_tokens,
                                  PastBlock past_block, std::int32_t block_size,
                                  std::string_view helps) {
  bool crops = past_block == PastBlock::kCrop;
  std::int32_t most = crops ? kMostTokens : block_size;
  const char* why = crops ? "the most with past_block crop" : "the model's block size";
  const char* way_out = crops ? "" : "; past_block crop goes on past it";
  auto prompt = static_cast<std::int64_t>(prompt_tokens);
  if (asked.max_length && asked.max_new_tokens) {
    return invalid("max_new_tokens: expected max_length or max_new_tokens, found both");
  }
  if (asked.max_length && (*asked.max_length < 1 || *asked.max_length > most)) {
    return invalid(fmt::format("max_length: expected 1 to {} ({}), found {}{}", most, why,
                               *asked.max_length, *asked.max_length < 1 ? "" : way_out));
  }
  if (prompt > most) {
    return invalid(fmt::format("prompt: expected at most {} tokens ({}), found {}{}", most, why,
                               prompt, way_out));
  }
  if (asked.max_new_tokens) {
    std::int32_t added = *asked.max_new_tokens;
    if (added >= 1 && prompt + added <= most) return static_cast<std::int32_t>(prompt) + added;
    return invalid(fmt::format(
        "max_new_tokens: expected 1 to {} (of {} tokens, {}, the prompt takes {}), found {}{}",
        most - prompt, most, why, prompt, added, added < 1 ? "" : way_out));
  }
  std::int32_t length = asked.max_length.value_or(std::min(kDefaultMaxLength, block_size));
  if (prompt <= length) return length;
  if (asked.max_length) {
    return invalid(fmt::format("max_length: expected at least the prompt's {} tokens, found {}",
                               prompt, length));
  }
  return invalid(
      fmt::format("prompt: expected at most {} tokens (the default length of prompt and "
                  "result together), found {}; give {}",
                  length, prompt, helps));
}

}  // namespace chorus
