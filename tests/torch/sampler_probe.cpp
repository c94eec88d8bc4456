// Lets sampler_parity.py see the sampler without a model around it. Not installed.
//
// usage: sampler_probe draws SEED CALLS COUNT           writes CALLS * COUNT floats, raw
//        sampler_probe sample SEED TOP_K TEMPERATURE V [LOOP TOP_P MIN_P]
//                                                 reads rows of V floats, writes an id a line

#include <cstdio>
#include <string>
#include <vector>

#include "sampling/sampler.h"
#include "sampling/torch_random.h"

namespace {

using chorus::RandomStream;
using chorus::Result;

int write_draws(std::uint64_t seed, std::size_t calls, std::size_t count) {
  chorus::sampling::ExponentialStream stream(RandomStream::kTorchCpu, seed);
  std::vector<float> draws(count);
  for (std::size_t i = 0; i < calls; ++i) {
    stream.fill(draws);
    if (std::fwrite(draws.data(), sizeof(float), count, stdout) != count) return 1;
  }
  return 0;
}

int sample_rows(const chorus::SamplingParams& params, std::size_t vocab_size) {
  chorus::sampling::Sampler sampler(params);
  chorus::sampling::SamplerScratch scratch;
  std::vector<float> logits(vocab_size);
  while (std::fread(logits.data(), sizeof(float), vocab_size, stdin) == vocab_size) {
    Result<std::int32_t> id =
        sampler.sample(logits, static_cast<std::int32_t>(vocab_size), scratch);
    if (!id) {
      std::fprintf(stderr, "%s\n", id.assume_error().message.c_str());
      return 1;
    }
    std::printf("%d\n", id.assume_value());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 4 && words[0] == "draws") {
    return write_draws(std::stoull(words[1]), std::stoul(words[2]), std::stoul(words[3]));
  }
  if ((words.size() == 5 || words.size() == 8) && words[0] == "sample") {
    chorus::SamplingParams params{.temperature = std::stof(words[3]),
                                  .top_k = std::stoi(words[2]),
                                  .seed = std::stoull(words[1]),
                                  .rng = RandomStream::kTorchCpu};
    if (words.size() == 8) {
      params.loop = chorus::parse_sampling_loop(words[5]).assume_value();
      params.top_p = std::stod(words[6]);
      params.min_p = std::stof(words[7]);
    }
    return sample_rows(params, std::stoul(words[4]));
  }
  std::fprintf(stderr, "usage: sampler_probe draws|sample ...\n");
  return 2;
}
