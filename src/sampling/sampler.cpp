#include "sampling/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "sampling/penalties.h"
#include "sampling/softmax.h"

namespace chorus::sampling {
namespace {

constexpr std::size_t kCudaBlock = 256;  // candidates that the CUDA stream is defined for

// A wrong $CHORUS_ISA is for whoever loads the model to report.
const kernels::Kernels* default_kernels() {
  Result<const kernels::Kernels*> chosen = kernels::choose_kernels();
  return chosen ? chosen.assume_value() : &kernels::kernels_for(kernels::Isa::kScalar);
}

// Whether one of the probabilities is not 0: all mass may be on padding, or impossible.
Result<void> check_any(std::span<const float> probabilities, std::int32_t usable) {
  for (float probability : probabilities) {
    if (probability > 0.0f) return ok();
  }
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("logits: no distribution to sample from, the probabilities of all {} "
                           "usable ids are 0",
                           usable)};
}

}  // namespace

Sampler::Sampler(const SamplingParams& params, const kernels::Kernels* kernels)
    : params_(params),
      kernels_(kernels != nullptr ? kernels : default_kernels()),
      stream_(params.rng, params.seed) {}

Result<std::int32_t> Sampler::sample(std::span<const float> logits, std::int32_t usable,
                                     SamplerScratch& scratch) {
  CHORUS_TRY(check(params_));
  if (usable < 1 || static_cast<std::size_t>(usable) > logits.size()) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("logits: {} usable ids of {}, expected at least 1 and at most all",
                             usable, logits.size())};
  }
  if (params_.temperature == 0.0f) return greedy(logits.first(static_cast<std::size_t>(usable)));

  auto end = static_cast<std::size_t>(usable);
  std::int32_t k = std::min(params_.top_k, usable);
  CHORUS_TRY(check_stream(k == 0 ? logits.size() : static_cast<std::size_t>(k)));
  std::vector<float>& probabilities = scratch.probabilities;
  probabilities.resize(logits.size());
  CHORUS_TRY(softmax(*kernels_, logits, params_.temperature, probabilities));
  filter_probabilities(params_, probabilities);
  if (k == 0) {
    CHORUS_TRY(check_any(std::span(probabilities).first(end), usable));
    return static_cast<std::int32_t>(stream_.multinomial(probabilities, end, scratch.draws));
  }
  top_k(*kernels_, probabilities, usable, k, scratch.candidates);
  std::vector<float>& chosen = scratch.candidate_probabilities;
  chosen.clear();
  for (const Candidate& candidate : scratch.candidates) chosen.push_back(candidate.probability);
  CHORUS_TRY(check_any(chosen, usable));
  return scratch.candidates[stream_.multinomial(chosen, chosen.size(), scratch.draws)].id;
}

Result<std::int32_t> Sampler::greedy(std::span<const float> logits) const {
  CHORUS_TRY(float maximum, largest_logit(logits));
  auto first = std::find(logits.begin(), logits.end(), maximum);
  return static_cast<std::int32_t>(first - logits.begin());
}

Result<void> Sampler::check_stream(std::size_t candidates) const {
  if (params_.rng != RandomStream::kTorchCuda || candidates <= kCudaBlock) return ok();
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("top_k: {} candidates, but the torch-cuda stream is defined for at most "
                           "{}",
                           candidates, kCudaBlock)};
}

}  // namespace chorus::sampling
