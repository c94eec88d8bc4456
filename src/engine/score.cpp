// Engine::score: the log-probability of every token of a text, read in overlapping windows when it
// is longer than the block.

#include <algorithm>
#include <new>

#include "engine/engine_impl.h"
#include "engine/log.h"

namespace chorus {
namespace {

// log softmax(logits)[id], the sum and the logarithm in double precision.
double log_probability(const kernels::Kernels& kernels, std::span<const float> logits,
                       std::int32_t id) {
  float largest = kernels.max(logits.data(), logits.size());
  double sum = kernels.sum_exp(logits.data(), logits.size(), largest);
  double shifted =
      static_cast<double>(logits[static_cast<std::size_t>(id)]) - static_cast<double>(largest);
  return shifted - engine::natural_log(sum);
}

}  // namespace

Result<Score> Engine::score(const ScoreRequest& request) {
  auto block = static_cast<std::size_t>(impl_->info.block_size);
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
  CHORUS_TRY(impl_->check_ids(request.ids, "ids"));
  if (request.bos && kEndOfText >= impl_->info.vocab_size) {
    return Error{ErrorCode::kInvalidArgument, "bos: the model's vocabulary of " +
                                                  std::to_string(impl_->info.vocab_size) +
                                                  " has no <|endoftext|> (id 50256)"};
  }
  std::vector<std::int32_t> sequence_ids;
  std::size_t offset = request.bos ? 1 : 0;  // of request.ids in sequence_ids
  if (request.bos) sequence_ids.push_back(kEndOfText);
  sequence_ids.insert(sequence_ids.end(), request.ids.begin(), request.ids.end());

  Score score;
  score.logprobs.assign(request.ids.size(), 0.0);
  score.contexts.assign(request.ids.size(), 0);
  std::lock_guard lock(impl_->turn);
  try {
    engine::KvSequence pages(impl_->model->kv_layout());
    pages.reserve(std::min(block, sequence_ids.size()));
    std::size_t scored =
        1;  // tokens of the sequence that have their score; the first never gets one
    double total = 0.0;
    for (std::size_t begin = 0; scored < sequence_ids.size();
         begin = std::min(begin + stride, scored - 1)) {
      std::size_t end = std::min(begin + block, sequence_ids.size());
      // Row r predicts token r + 1 of the window, so the last token need not be run.
      auto window = std::span(sequence_ids).subspan(begin, end - begin - 1);
      auto use = [&](std::size_t row, std::span<const float> logits) -> Result<void> {
        std::size_t at = begin + row + 1;
        double logprob = log_probability(impl_->model->kernels(), logits, sequence_ids[at]);
        score.logprobs[at - offset] = logprob;
        score.contexts[at - offset] = static_cast<std::int32_t>(row + 1);
        total -= logprob;
        return ok();
      };
      CHORUS_TRY(impl_->forward(window, 0, pages, scored - 1 - begin, use));
      scored = end;
    }
    score.scored = sequence_ids.size() - 1;
    if (score.scored > 0) score.loss = total / static_cast<double>(score.scored);
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kUnsupported, "not enough memory for keys and values"};
  }
  return score;
}

}  // namespace chorus
