#include "chorus/score.h"

#include <algorithm>

#include "core/error_text.h"
#include "core/out_of_memory.h"
#include "engine/engine_impl.h"
#include "engine/request_check.h"

namespace chorus {
namespace {

// Windows of at most `block` tokens, `stride` apart.
std::vector<ScoreWindow> plan_windows(std::size_t tokens, std::size_t stride, std::size_t block) {
  std::vector<ScoreWindow> windows;
  std::size_t scored = 1;  // the first token never is
  for (std::size_t begin = 0; scored < tokens; begin = std::min(begin + stride, scored - 1)) {
    std::size_t end = std::min(begin + block, tokens);
    windows.push_back({begin, end, scored});
    scored = end;
  }
  return windows;
}

Error no_tokens() {
  return {ErrorCode::kInvalidArgument, "ids: expected at least one token, found none"};
}

}  // namespace

Result<TextScore> TextScore::make(const ScoreRequest& request, std::optional<std::int32_t> bos,
                                  std::int32_t block_size) {
  auto block = static_cast<std::size_t>(block_size);
  auto stride = request.stride == 0 ? std::max<std::size_t>(1, block / 2)
                                    : static_cast<std::size_t>(request.stride);
  if (request.stride < 0 || stride > block) {
    return Error{ErrorCode::kInvalidArgument, "stride: expected 1 to " + std::to_string(block) +
                                                  " (the model's block size), found " +
                                                  std::to_string(request.stride)};
  }
  if (request.ids.empty() && !bos) return no_tokens();
  TextScore result;
  result.offset_ = bos ? 1 : 0;
  result.count_ = request.ids.size();
  result.boundaries_ = request.boundaries;
  if (bos) result.sequence_.push_back(*bos);
  result.sequence_.insert(result.sequence_.end(), request.ids.begin(), request.ids.end());
  // Any id: what stands in front of it is asked for, not it.
  if (request.boundaries) result.sequence_.push_back(result.sequence_[0]);
  result.windows_ = plan_windows(result.sequence_.size(), stride, block);
  result.logprobs_.assign(result.sequence_.size(), 0.0);
  result.contexts_.assign(result.sequence_.size(), 0);
  if (request.boundaries) result.word_ends_.assign(result.sequence_.size(), 0.0);
  result.rank_and_entropy_ = request.rank_and_entropy;
  if (request.rank_and_entropy) {
    result.entropies_.assign(result.sequence_.size(), 0.0);
    result.ranks_.assign(result.sequence_.size(), 0);
  }
  return result;
}

Request TextScore::request(const ScoreWindow& window) const {
  Request request;
  request.prompt.assign(sequence_.begin() + static_cast<std::ptrdiff_t>(window.begin),
                        sequence_.begin() + static_cast<std::ptrdiff_t>(window.end));
  request.max_length = static_cast<std::int32_t>(request.prompt.size());
  request.prompt_logprobs = 0;
  request.prompt_boundaries = boundaries_;
  request.rank_and_entropy = rank_and_entropy_;
  request.prompt_logprobs_from = window.from - window.begin;
  return request;
}

void TextScore::add(const ScoreWindow& window, std::span<const TokenInfo> tokens) {
  for (std::size_t at = window.from; at < window.end; ++at) {
    const TokenInfo& token = tokens[at - window.begin];
    logprobs_[at] = token.logprob.value_or(0.0);
    contexts_[at] = static_cast<std::int32_t>(at - window.begin);
    if (boundaries_) word_ends_[at] = token.boundary.value_or(0.0);
    if (!rank_and_entropy_) continue;
    entropies_[at] = token.entropy.value_or(0.0);
    ranks_[at] = token.rank.value_or(0);
  }
}

std::span<const std::int32_t> TextScore::ids() const {
  return std::span(sequence_).subspan(offset_, count_);
}

Score TextScore::score() const {
  auto of_text = [this](const auto& values) {
    auto first = values.begin() + static_cast<std::ptrdiff_t>(offset_);
    return std::vector(first, first + static_cast<std::ptrdiff_t>(count_));
  };
  Score score{.logprobs = of_text(logprobs_), .contexts = of_text(contexts_)};
  if (boundaries_) {
    score.boundaries.assign(word_ends_.begin() + static_cast<std::ptrdiff_t>(offset_),
                            word_ends_.end());
  }
  if (rank_and_entropy_) {
    score.entropies = of_text(entropies_);
    score.ranks = of_text(ranks_);
  }
  double total = 0.0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (score.contexts[i] == 0) continue;
    total -= score.logprobs[i];
    ++score.scored;
  }
  if (score.scored > 0) score.loss = total / static_cast<double>(score.scored);
  return score;
}

namespace {

Result<Score> score_windows(Engine& engine, const ScoreRequest& request) {
  if (request.ids.empty()) return no_tokens();
  std::optional<std::int32_t> begin;
  if (request.bos) {
    CHORUS_TRY(begin, in_place(engine.bos(), "bos"));
  }
  CHORUS_TRY(TextScore text, TextScore::make(request, begin, engine.info().block_size));
  CHORUS_TRY(engine::check_ids(request.ids, "ids", engine.info()));
  for (const ScoreWindow& window : text.windows()) {
    Request read = text.request(window);
    read.cancellation = request.cancellation;
    CHORUS_TRY(auto samples, engine.complete(read));
    if (samples[0].finish_reason == FinishReason::kCancelled) {
      return Error{ErrorCode::kUnavailable, "scoring was cancelled"};
    }
    text.add(window, samples[0].prompt);
  }
  return text.score();
}

Result<std::vector<float>> all_logits(Engine& engine, std::span<const std::int32_t> ids) {
  std::size_t block = static_cast<std::size_t>(engine.info().block_size);
  if (ids.empty() || ids.size() > block) {
    return Error{ErrorCode::kInvalidArgument, "ids: expected 1 to " + std::to_string(block) +
                                                  " tokens (the model's block size), found " +
                                                  std::to_string(ids.size())};
  }
  CHORUS_TRY(engine::check_ids(ids, "ids", engine.info()));
  auto logits = std::make_shared<std::vector<float>>(
      ids.size() * static_cast<std::size_t>(engine.info().vocab_size));
  CHORUS_TRY(engine.complete({.prompt = {ids.begin(), ids.end()},
                              .max_length = static_cast<std::int32_t>(ids.size()),
                              .prompt_logits = std::shared_ptr<float>(logits, logits->data())}));
  return std::move(*logits);
}

}  // namespace

Result<Score> Engine::score(const ScoreRequest& request) {
  return or_out_of_memory([&] { return score_windows(*this, request); });
}

Result<std::vector<float>> Engine::logits(std::span<const std::int32_t> ids) {
  return or_out_of_memory([&] { return all_logits(*this, ids); });
}

}  // namespace chorus
