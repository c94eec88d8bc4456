// How a token is chosen from a model's logits, and which of PyTorch's random streams chooses it.
// Plain data: copies may cross threads.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "chorus/error.h"

namespace chorus {

// The exponential draws of torch.multinomial differ from one PyTorch build to another.
enum class RandomStream {
  kTorchCpu,     // "torch-cpu": CPU builds without MKL (Debian, ARM) and x86 wheels from 2.7 on
  kTorchCpuMkl,  // "torch-cpu-mkl": x86 wheels with MKL, up to 2.6
  kTorchCuda,    // "torch-cuda": Philox on a GPU; defined for at most 256 candidates
};

// The command line's word for a stream, and back. Errors: kInvalidArgument, listing the three
// words.
const char* random_stream_name(RandomStream stream);
Result<RandomStream> parse_random_stream(std::string_view name);

struct SamplingParams {
  float temperature = 1.0f;  // logits are divided by it; 0: the largest logit, no random numbers
  std::int32_t top_k = 50;   // candidates kept, likeliest first; 0: no choice, all in order of id
  std::uint64_t seed = 0;    // as torch.Generator.manual_seed; a negative seed s is 2^64 + s
  RandomStream rng = RandomStream::kTorchCpu;

  // What PyTorch's plain sampler does not have; left as they are, the text is PyTorch's. They act
  // before top_k, in this order: penalties, bias, temperature, softmax, min_p, top_p.
  float repetition_penalty =
      1.0f;                        // logits of tokens seen (prompt too): divided if > 0, else times
  float presence_penalty = 0.0f;   // subtracted from logits of tokens generated at least once
  float frequency_penalty = 0.0f;  // subtracted for each time a token was generated
  std::vector<std::pair<std::int32_t, float>> logit_bias = {};  // (id, added to its logit)
  float min_p = 0.0f;  // candidates have at least this share of the likeliest's probability
  float top_p = 1.0f;  // the likeliest tokens that together reach this probability
};

// Whether every field is in its range. Errors: kInvalidArgument, naming the field.
Result<void> check(const SamplingParams& params);

}  // namespace chorus
