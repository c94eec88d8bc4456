#include "sampling/torch_random.h"

#include <limits>

#include "sampling/natural_log.h"

namespace chorus::sampling {
namespace {

constexpr std::uint32_t low32(std::uint64_t value) { return static_cast<std::uint32_t>(value); }
constexpr std::uint32_t high32(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32);
}

// The number u in [0, 1) of which a CPU draw is -log(1 - u).
double torch_cpu_uniform(TorchCpuGenerator& generator) {
  constexpr std::uint64_t kMask53 = (std::uint64_t{1} << 53) - 1;
  return static_cast<double>(generator.random64() & kMask53) * 0x1p-53;
}

}  // namespace

void exponential_torch_cpu(TorchCpuGenerator& generator, std::span<float> draws) {
  for (float& draw : draws) {
    draw = static_cast<float>(-natural_log(1.0 - torch_cpu_uniform(generator)));
  }
}

// MKL's multiplicative congruential generator MCG31m1, begun anew in each call from one MT19937
// output.
void exponential_torch_cpu_mkl(TorchCpuGenerator& generator, std::span<float> draws) {
  constexpr std::uint64_t kModulus = 0x7fffffff;
  constexpr std::uint64_t kMultiplier = 1132489760;
  constexpr double kLeast = std::numeric_limits<float>::min();
  std::uint64_t state = generator.random() % kModulus;
  if (state == 0) state = 1;
  for (float& draw : draws) {
    double uniform = static_cast<double>(state) / static_cast<double>(kModulus);  // (0, 1)
    draw = static_cast<float>(-natural_log(uniform) + kLeast);
    state = state * kMultiplier % kModulus;
  }
}

void exponential_torch_cuda(std::uint64_t seed, std::uint64_t call, std::span<float> draws) {
  constexpr float kHalfEpsilon = std::numeric_limits<float>::epsilon() / 2;
  std::uint32_t candidate = 0;
  for (float& draw : draws) {
    std::uint32_t bits =
        philox4x32({low32(call), high32(call), candidate, 0}, {low32(seed), high32(seed)})[0];
    float uniform = static_cast<float>(bits) * 0x1p-32f + 0x1p-33f;  // (0, 1]
    // CUDA avoids a draw of 0 where the uniform is 1.
    draw =
        uniform >= 1.0f - kHalfEpsilon ? kHalfEpsilon : static_cast<float>(-natural_log(uniform));
    ++candidate;
  }
}

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    std::uint64_t product0 = std::uint64_t{0xd2511f53} * counter[0];
    std::uint64_t product1 = std::uint64_t{0xcd9e8d57} * counter[2];
    counter = {high32(product1) ^ counter[1] ^ key[0], low32(product1),
               high32(product0) ^ counter[3] ^ key[1], low32(product0)};
    key[0] += 0x9e3779b9;
    key[1] += 0xbb67ae85;
  }
  return counter;
}

void ExponentialStream::fill(std::span<float> draws) {
  switch (stream_) {
    case RandomStream::kTorchCpu:
      exponential_torch_cpu(generator_, draws);
      break;
    case RandomStream::kTorchCpuMkl:
      exponential_torch_cpu_mkl(generator_, draws);
      break;
    case RandomStream::kTorchCuda:
      exponential_torch_cuda(seed_, calls_, draws);
      break;
  }
  ++calls_;
}

std::size_t ExponentialStream::multinomial(std::span<const float> probabilities, std::size_t usable,
                                           std::vector<float>& draws) {
  if (stream_ == RandomStream::kTorchCpu) return multinomial_torch_cpu(probabilities, usable);
  draws.resize(probabilities.size());
  fill(draws);
  std::size_t best = 0;
  float best_ratio = probabilities[0] / draws[0];
  for (std::size_t i = 1; i < usable; ++i) {
    float ratio = probabilities[i] / draws[i];
    if (ratio > best_ratio) {
      best = i;
      best_ratio = ratio;
    }
  }
  return best;
}

// Over a whole vocabulary the logarithms would be most of the work, and few are needed: as
// q = -log(1 - u) >= u, a candidate with p / u clearly below the best so far cannot win.
std::size_t ExponentialStream::multinomial_torch_cpu(std::span<const float> probabilities,
                                                     std::size_t usable) {
  constexpr double kMargin = 1.0 + 0x1p-20;  // far above the rounding of q and p / q to float
  std::size_t best = 0;
  float best_ratio = 0.0f;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    double uniform = torch_cpu_uniform(generator_);
    bool beaten =
        uniform * static_cast<double>(best_ratio) > static_cast<double>(probabilities[i]) * kMargin;
    if (i >= usable || (i > 0 && beaten)) continue;
    float ratio = probabilities[i] / static_cast<float>(-natural_log(1.0 - uniform));
    if (i == 0 || ratio > best_ratio) {
      best = i;
      best_ratio = ratio;
    }
  }
  ++calls_;
  return best;
}

}  // namespace chorus::sampling
