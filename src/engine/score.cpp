// Engine::score: the log-probability of every token of a text, read in overlapping windows when it
// is longer than the block. Engine::logits: all that the model says of a text of at most a block.

#include <algorithm>

#include "core/error_text.h"
#include "core/out_of_memory.h"
#include "engine/engine_impl.h"
#include "engine/request_check.h"

namespace chorus {

namespace {

Result<Score> score_windows(Engine& engine, const ScoreRequest& request) {
  auto block = static_cast<std::size_t>(engine.info().block_size);
  auto stride = request.stride == 0 ? std::max<std::size_t>(1, block / 2)
                                    : static_cast<std::size_t>(request.stride);
  if (request.stride < 0 || stride > block) {
    return Error{ErrorCode::kInvalidArgument, "stride: expected 1 to " + std::to_string(block) +
                                                  " (the model's block size), found " +
                                                  std::to_string(request.stride)};
  }
  if (request.ids.empty()) {
    return Error{ErrorCode::kInvalidArgument, "ids: expected at least one token, found none"};
  }
  CHORUS_TRY(engine::check_ids(request.ids, "ids", engine.info()));
  std::vector<std::int32_t> sequence_ids;
  std::size_t offset = request.bos ? 1 : 0;  // of request.ids in sequence_ids
  if (request.bos) {
    CHORUS_TRY(std::int32_t begin, in_place(engine.bos(), "bos"));
    sequence_ids.push_back(begin);
  }
  sequence_ids.insert(sequence_ids.end(), request.ids.begin(), request.ids.end());

  Score score;
  score.logprobs.assign(request.ids.size(), 0.0);
  score.contexts.assign(request.ids.size(), 0);
  std::size_t scored = 1;  // tokens of the sequence that have their score; the first gets none
  double total = 0.0;
  for (std::size_t begin = 0; scored < sequence_ids.size();
       begin = std::min(begin + stride, scored - 1)) {
    std::size_t end = std::min(begin + block, sequence_ids.size());
    auto first = sequence_ids.begin() + static_cast<std::ptrdiff_t>(begin);
    auto last = sequence_ids.begin() + static_cast<std::ptrdiff_t>(end);
    CHORUS_TRY(auto window, engine.complete({.prompt = {first, last},
                                             .max_length = static_cast<std::int32_t>(end - begin),
                                             .prompt_logprobs = 0,
                                             .prompt_logprobs_from = scored - begin}));
    for (; scored < end; ++scored) {
      std::size_t context = scored - begin;
      double logprob = *window[0].prompt[context].logprob;
      score.logprobs[scored - offset] = logprob;
      score.contexts[scored - offset] = static_cast<std::int32_t>(context);
      total -= logprob;
    }
  }
  score.scored = sequence_ids.size() - 1;
  if (score.scored > 0) score.loss = total / static_cast<double>(score.scored);
  return score;
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
