// How a token is chosen from a model's logits, and which of PyTorch's random streams chooses it.
// Plain data: copies may cross threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "chorus/error.h"
#include "chorus/export.h"

namespace chorus {

// The exponential draws of torch.multinomial differ from one PyTorch build to another.
enum class RandomStream {
  kTorchCpu,     // "torch-cpu": CPU builds without MKL (Debian, ARM) and x86 wheels from 2.7 on
  kTorchCpuMkl,  // "torch-cpu-mkl": x86 wheels with MKL, up to 2.6
  kTorchCuda,    // "torch-cuda": Philox on a GPU; defined for at most 256 candidates
};

// The command line's word for a stream, and back. Errors: kInvalidArgument, listing the three
// words.
CHORUS_EXPORT const char* random_stream_name(RandomStream stream);
CHORUS_EXPORT Result<RandomStream> parse_random_stream(std::string_view name);

// Whose generation loop is repeated. It decides over what is drawn, in which order the parameters
// act, and whether <|endoftext|> ends a text that says nothing about it.
enum class SamplingLoop {
  // "talk": the talk's and build-nanogpt's. softmax, topk, one draw for each of the top_k
  // candidates; with top_k 0 one for each id.
  kTalk,
  // "nanogpt": nanoGPT's sample.py. Logits below the k-th become -inf, equal ones stay, and there
  // is one draw for each id of the vocabulary. No token ends a text.
  kNanoGpt,
  // "transformers": generate(do_sample=True) of transformers 4.40. As nanogpt, in the order
  // repetition_penalty, temperature, top_k, top_p, min_p; the model's end-of-text ids end a text.
  kTransformers,
};

// The command line's word for a loop, and back. Errors: kInvalidArgument, listing the three words.
CHORUS_EXPORT const char* sampling_loop_name(SamplingLoop loop);
CHORUS_EXPORT Result<SamplingLoop> parse_sampling_loop(std::string_view name);

struct SamplingParams {
  std::optional<SamplingLoop> loop = {};  // empty: the model's own (ModelInfo::loop)
  float temperature = 1.0f;  // logits are divided by it; 0: the largest logit, no random numbers
  std::int32_t top_k = 50;   // candidates kept, likeliest first; 0: no choice, all in order of id
  std::uint64_t seed = 0;    // as torch.Generator.manual_seed; a negative seed s is 2^64 + s
  RandomStream rng = RandomStream::kTorchCpu;

  // What PyTorch's plain sampler does not have; left as they are, the text is PyTorch's. They act
  // before top_k, in this order: penalties, bias, temperature, softmax, min_p, top_p; in the other
  // loops in theirs (bias before penalties), and presence_penalty and frequency_penalty, which they
  // lack, after repetition_penalty.
  float repetition_penalty =
      1.0f;                        // logits of tokens seen (prompt too): divided if > 0, else times
  float presence_penalty = 0.0f;   // subtracted from logits of tokens generated at least once
  float frequency_penalty = 0.0f;  // subtracted for each time a token was generated
  std::vector<std::pair<std::int32_t, float>> logit_bias = {};  // (id, added to its logit)
  float min_p = 0.0f;  // candidates have at least this share of the likeliest's probability
  double top_p = 1.0;  // the likeliest tokens that together reach this probability
};

// Whether every field is in its range. Errors: kInvalidArgument, naming the field.
CHORUS_EXPORT Result<void> check(const SamplingParams& params);

}  // namespace chorus
