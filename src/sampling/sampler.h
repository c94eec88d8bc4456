// Chooses the next token of one sequence as one of three loops does in PyTorch (SamplingLoop) with
// the sequence's own generator. Knows nothing of models or stop tokens: a stop token consumes
// random numbers like any other. One per sequence; not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "chorus/error.h"
#include "chorus/sampling.h"
#include "kernels/kernels.h"
#include "sampling/candidate.h"
#include "sampling/masked_logits.h"
#include "sampling/torch_random.h"

namespace chorus::sampling {

// Room that a call of Sampler::sample needs; it is kept from call to call, and samplers that take
// turns may share one.
struct SamplerScratch {
  std::vector<float> probabilities;            // [vocab_size]; or the logits of other loops, scaled
  std::vector<Candidate> candidates;           // descending
  std::vector<float> candidate_probabilities;  // theirs
  MaskedLogits masked;
};

class Sampler {
 public:
  // A loop that is empty is the talk's. `kernels` null: the processor's best table (or that of $CHORUS_ISA); every table gives the same
  // tokens.
  explicit Sampler(const SamplingParams& params, const kernels::Kernels* kernels = nullptr);

  // The next token for `logits` [vocab_size]. Ids from `usable` on are padding of the vocabulary:
  // they take part in the softmax's sum, as in PyTorch, but are never chosen. Errors:
  // kInvalidArgument when the parameters are out of range, when there is no distribution (a NaN or
  // +inf logit, whose id is named; nothing possible among the usable), and when the CUDA stream is
  // asked for more than 256 candidates. After an error no random number is consumed.
  Result<std::int32_t> sample(std::span<const float> logits, std::int32_t usable,
                              SamplerScratch& scratch);

 private:
  Result<std::int32_t> greedy(std::span<const float> logits) const;
  Result<std::int32_t> sample_all(std::span<const float> logits, std::int32_t usable,
                                  SamplerScratch& scratch);
  Result<std::int32_t> sample_top_k(std::span<const float> logits, std::int32_t usable,
                                    SamplerScratch& scratch);
  Result<std::int32_t> sample_masked(std::span<const float> logits, std::int32_t usable,
                                     SamplerScratch& scratch);
  Result<void> check_stream(std::size_t candidates) const;

  SamplingParams params_;
  const kernels::Kernels* kernels_;
  ExponentialStream stream_;
};

}  // namespace chorus::sampling
