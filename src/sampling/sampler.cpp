#include "sampling/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "sampling/penalties.h"
#include "sampling/softmax.h"
#include "sampling/top_k.h"

namespace chorus::sampling {
namespace {

constexpr std::size_t kCudaBlock = 256;  // candidates that the CUDA stream is defined for

// A wrong $CHORUS_ISA is for whoever loads the model to report.
const kernels::Kernels* default_kernels() {
  Result<const kernels::Kernels*> chosen = kernels::choose_kernels();
  return chosen ? chosen.assume_value() : &kernels::kernels_for(kernels::Isa::kScalar);
}

// All mass may be on padding, or impossible.
Error nothing_usable(std::int32_t usable) {
  return {ErrorCode::kInvalidArgument,
          fmt::format("logits: no distribution to sample from, the probabilities of all {} usable "
                      "ids are 0",
                      usable)};
}

bool is_possible(float probability) { return probability > 0.0f; }

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

  bool is_talk = params_.loop.value_or(SamplingLoop::kTalk) == SamplingLoop::kTalk;
  bool filters = params_.top_p < 1.0 || params_.min_p > 0.0f;
  bool masks = filters || (params_.top_k > 0 && params_.top_k < usable);
  if (is_talk && params_.top_k > 0) return sample_top_k(logits, usable, scratch);
  if (is_talk || !masks) return sample_all(logits, usable, scratch);
  return sample_masked(logits, usable, scratch);
}

// Where every loop does the same: one draw for each id of the vocabulary.
Result<std::int32_t> Sampler::sample_all(std::span<const float> logits, std::int32_t usable,
                                         SamplerScratch& scratch) {
  auto end = static_cast<std::size_t>(usable);
  CHORUS_TRY(check_stream(logits.size()));
  std::vector<float>& probabilities = scratch.probabilities;
  probabilities.resize(logits.size());
  CHORUS_TRY(softmax(*kernels_, logits, params_.temperature, probabilities));
  filter_probabilities(params_, probabilities);
  if (!std::ranges::any_of(std::span(probabilities).first(end), is_possible)) {
    return nothing_usable(usable);
  }
  return static_cast<std::int32_t>(stream_.multinomial(probabilities, end));
}

// The talk's loop.
Result<std::int32_t> Sampler::sample_top_k(std::span<const float> logits, std::int32_t usable,
                                           SamplerScratch& scratch) {
  std::int32_t k = std::min(params_.top_k, usable);
  CHORUS_TRY(check_stream(static_cast<std::size_t>(k)));
  std::vector<float>& probabilities = scratch.probabilities;
  probabilities.resize(logits.size());
  CHORUS_TRY(softmax(*kernels_, logits, params_.temperature, probabilities));
  filter_probabilities(params_, probabilities);
  top_k(*kernels_, probabilities, usable, k, scratch.candidates);
  std::vector<float>& chosen = scratch.candidate_probabilities;
  chosen.clear();
  for (const Candidate& candidate : scratch.candidates) chosen.push_back(candidate.probability);
  if (!std::ranges::any_of(chosen, is_possible)) return nothing_usable(usable);
  return scratch.candidates[stream_.multinomial(chosen, chosen.size())].id;
}

// nanoGPT's loop and transformers'.
Result<std::int32_t> Sampler::sample_masked(std::span<const float> logits, std::int32_t usable,
                                            SamplerScratch& scratch) {
  auto end = static_cast<std::size_t>(usable);
  CHORUS_TRY(check_stream(logits.size()));
  std::vector<float>& scaled = scratch.probabilities;
  scaled.resize(logits.size());
  CHORUS_TRY(scale(logits, params_.temperature, scaled));
  MaskedLogits& masked = scratch.masked;
  masked.assign(*kernels_, scaled, end, static_cast<std::size_t>(params_.top_k));
  if (params_.top_p < 1.0) masked.keep_top_p(params_.top_p);
  if (params_.min_p > 0.0f) masked.keep_min_p(params_.min_p);
  std::span<const Candidate> candidates = masked.softmax();
  if (!std::ranges::any_of(candidates, [usable](const Candidate& candidate) {
        return candidate.id < usable && is_possible(candidate.probability);
      })) {
    return nothing_usable(usable);
  }
  return candidates[stream_.multinomial(candidates, logits.size(), end)].id;
}

Result<std::int32_t> Sampler::greedy(std::span<const float> logits) const {
  CHORUS_TRY(float maximum, largest_logit(logits));
  auto first = std::find(logits.begin(), logits.end(), maximum);
  return static_cast<std::int32_t>(first - logits.begin());
}

Result<void> Sampler::check_stream(std::size_t candidates) const {
  if (params_.rng != RandomStream::kTorchCuda || candidates <= kCudaBlock) return ok();
  SamplingLoop loop = params_.loop.value_or(SamplingLoop::kTalk);
  if (loop != SamplingLoop::kTalk) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("rng: the {} loop draws for each of the vocabulary's {} ids, but the "
                             "torch-cuda stream is defined for at most {} (the talk's loop draws "
                             "for top_k candidates)",
                             sampling_loop_name(loop), candidates, kCudaBlock)};
  }
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("top_k: {} candidates, but the torch-cuda stream is defined for at most "
                           "{}",
                           candidates, kCudaBlock)};
}

}  // namespace chorus::sampling
