#include "engine/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "engine/logits.h"
#include "engine/softmax.h"

namespace chorus::engine {
namespace {

constexpr std::int32_t kCudaBlock = 256;  // candidates that the CUDA stream is defined for

// A wrong $CHORUS_ISA is for whoever loads the model to report.
const kernels::Kernels* default_kernels() {
  Result<const kernels::Kernels*> chosen = kernels::choose_kernels();
  return chosen ? chosen.assume_value() : &kernels::kernels_for(kernels::Isa::kScalar);
}

}  // namespace

Sampler::Sampler(const SamplingParams& params, const kernels::Kernels* kernels)
    : params_(params),
      kernels_(kernels != nullptr ? kernels : default_kernels()),
      stream_(params.rng, params.seed) {}

Result<std::int32_t> Sampler::sample(std::span<const float> logits, std::int32_t usable) {
  CHORUS_TRY(check(params_));
  if (usable < 1 || static_cast<std::size_t>(usable) > logits.size()) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("logits: {} usable ids of {}, expected at least 1 and at most all",
                             usable, logits.size())};
  }
  if (params_.temperature == 0.0f) return greedy(logits.first(static_cast<std::size_t>(usable)));

  CHORUS_TRY(std::int32_t k, candidate_count(usable));
  probabilities_.resize(logits.size());
  CHORUS_TRY(softmax(*kernels_, logits, params_.temperature, probabilities_));
  filter_probabilities(params_, probabilities_);
  top_k(probabilities_, usable, k, candidates_);
  if (candidates_.front().probability == 0.0f) {  // all mass is on padding, or impossible
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("logits: no distribution to sample from, the probabilities of all {} "
                             "usable ids are 0",
                             usable)};
  }
  return multinomial();
}

Result<std::int32_t> Sampler::greedy(std::span<const float> logits) const {
  CHORUS_TRY(float maximum, largest_logit(logits));
  auto first = std::find(logits.begin(), logits.end(), maximum);
  return static_cast<std::int32_t>(first - logits.begin());
}

Result<std::int32_t> Sampler::candidate_count(std::int32_t usable) const {
  std::int32_t k = params_.top_k == 0 ? usable : std::min(params_.top_k, usable);
  if (params_.rng == RandomStream::kTorchCuda && k > kCudaBlock) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("top_k: {} candidates, but the torch-cuda stream is defined for at "
                             "most {}",
                             k, kCudaBlock)};
  }
  return k;
}

// torch.multinomial(probabilities, 1): the largest p / q, the first on a tie.
std::int32_t Sampler::multinomial() {
  draws_.resize(candidates_.size());
  stream_.fill(draws_);
  std::size_t best = 0;
  float best_ratio = candidates_[0].probability / draws_[0];
  for (std::size_t i = 1; i < candidates_.size(); ++i) {
    float ratio = candidates_[i].probability / draws_[i];
    if (ratio > best_ratio) {
      best = i;
      best_ratio = ratio;
    }
  }
  return candidates_[best].id;
}

}  // namespace chorus::engine
