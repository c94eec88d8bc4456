// The random streams of PyTorch's torch.multinomial: for one sample it divides each probability by
// an exponential draw and takes the largest quotient. This file makes the draws, bit for bit as
// PyTorch 1.13.1 on a CPU (seen), and as MKL builds and CUDA make them (read in their source).
// A generator belongs to one sequence; it is not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "chorus/sampling.h"
#include "sampling/candidate.h"
#include "sampling/mersenne_twister.h"

namespace chorus::sampling {

// torch.Generator on a CPU after manual_seed(seed): MT19937 begun from the seed's low 32 bits.
class TorchCpuGenerator {
 public:
  explicit TorchCpuGenerator(std::uint64_t seed) : twister_(static_cast<std::uint32_t>(seed)) {}

  std::uint32_t random() { return twister_(); }
  std::uint64_t random64() {
    std::uint64_t high = random();
    return (high << 32) | random();
  }
  // Passes over so many outputs of random64().
  void discard64(std::uint64_t count) { twister_.discard(2 * count); }

 private:
  MersenneTwister twister_;
};

// One call of Tensor.exponential_ on draws.size() floats, for each kind of build.
void exponential_torch_cpu(TorchCpuGenerator& generator, std::span<float> draws);
void exponential_torch_cpu_mkl(TorchCpuGenerator& generator, std::span<float> draws);
// `call` counts the earlier calls since manual_seed. At most 256 draws agree with CUDA's, whose
// first block of threads makes them.
void exponential_torch_cuda(std::uint64_t seed, std::uint64_t call, std::span<float> draws);

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// One of the streams, from its seed on.
class ExponentialStream {
 public:
  ExponentialStream(RandomStream stream, std::uint64_t seed)
      : stream_(stream), seed_(seed), generator_(seed) {}

  // The draws of one call of torch.multinomial on draws.size() candidates.
  void fill(std::span<float> draws);

  // One call of torch.multinomial(probabilities, 1): the place of the largest p / q, the first on a
  // tie. Draws are made for all, but only the first `usable` (at least 1) can be chosen; 0 if none
  // of these has a probability over 0.
  std::size_t multinomial(std::span<const float> probabilities, std::size_t usable);
  // The same over a vocabulary of `size` ids of which all but `candidates`, ascending by id, have
  // the probability 0: the candidate's place. Draws that nobody looks at cost next to nothing.
  std::size_t multinomial(std::span<const Candidate> candidates, std::size_t size,
                          std::size_t usable);

 private:
  template <class Candidates>
  std::size_t choose(const Candidates& candidates, std::size_t size, std::size_t usable);
  template <class Candidates>
  std::size_t choose_torch_cpu(const Candidates& candidates, std::size_t size, std::size_t usable);
  template <class Candidates>
  std::size_t choose_torch_cpu_mkl(const Candidates& candidates, std::size_t usable);
  template <class Candidates>
  std::size_t choose_torch_cuda(const Candidates& candidates, std::size_t size, std::size_t usable);

  RandomStream stream_;
  std::uint64_t seed_;
  std::uint64_t calls_ = 0;
  TorchCpuGenerator generator_;
};

}  // namespace chorus::sampling
