#include "sampling/torch_random.h"

#include <cassert>
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

float torch_cpu_draw(double uniform) { return static_cast<float>(-natural_log(1.0 - uniform)); }

// MKL's multiplicative congruential generator MCG31m1, begun anew in each call from one MT19937
// output. Its numbers are in (0, 1).
class Mcg31 {
 public:
  explicit Mcg31(TorchCpuGenerator& generator) : state_(generator.random() % kModulus) {
    if (state_ == 0) state_ = 1;
  }

  double next() {
    double uniform = static_cast<double>(state_) / static_cast<double>(kModulus);
    state_ = state_ * kMultiplier % kModulus;
    return uniform;
  }
  // Passes over so many: the state times the multiplier's power, by repeated squaring.
  void discard(std::uint64_t count) {
    for (std::uint64_t power = kMultiplier; count > 0; count >>= 1) {
      if (count & 1) state_ = state_ * power % kModulus;
      power = power * power % kModulus;
    }
  }

 private:
  static constexpr std::uint64_t kModulus = 0x7fffffff;
  static constexpr std::uint64_t kMultiplier = 1132489760;
  std::uint64_t state_;
};

float mkl_draw(double uniform) {
  constexpr double kLeast = std::numeric_limits<float>::min();
  return static_cast<float>(-natural_log(uniform) + kLeast);
}

// A vocabulary of which every id is a candidate, at its own place.
struct EveryId {
  std::span<const float> probabilities;
  std::size_t count() const { return probabilities.size(); }
  std::size_t id(std::size_t place) const { return place; }
  float probability(std::size_t place) const { return probabilities[place]; }
};

struct SomeIds {
  std::span<const Candidate> candidates;
  std::size_t count() const { return candidates.size(); }
  std::size_t id(std::size_t place) const { return static_cast<std::size_t>(candidates[place].id); }
  float probability(std::size_t place) const { return candidates[place].probability; }
};

// The place of the largest quotient p / q so far.
class LargestQuotient {
 public:
  // Whether a draw q of at least `least` cannot win, so that its logarithm need not be taken: most
  // of a vocabulary's cannot.
  bool is_beaten(float probability, double least) const {
    constexpr double kMargin = 1.0 + 0x1p-20;  // far above the rounding of q and p / q to float
    return probability <= 0.0f ||
           least * static_cast<double>(largest_) > static_cast<double>(probability) * kMargin;
  }
  void offer(std::size_t place, float quotient) {
    if (quotient <= largest_) return;
    largest_ = quotient;
    place_ = place;
  }
  std::size_t place() const { return place_; }

 private:
  float largest_ = 0.0f;
  std::size_t place_ = 0;
};

}  // namespace

void exponential_torch_cpu(TorchCpuGenerator& generator, std::span<float> draws) {
  for (float& draw : draws) {
    draw = torch_cpu_draw(torch_cpu_uniform(generator));
  }
}

void exponential_torch_cpu_mkl(TorchCpuGenerator& generator, std::span<float> draws) {
  Mcg31 uniforms(generator);
  for (float& draw : draws) draw = mkl_draw(uniforms.next());
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

std::size_t ExponentialStream::multinomial(std::span<const float> probabilities,
                                           std::size_t usable) {
  return choose(EveryId{probabilities}, probabilities.size(), usable);
}

std::size_t ExponentialStream::multinomial(std::span<const Candidate> candidates, std::size_t size,
                                           std::size_t usable) {
  return choose(SomeIds{candidates}, size, usable);
}

template <class Candidates>
std::size_t ExponentialStream::choose(const Candidates& candidates, std::size_t size,
                                      std::size_t usable) {
  std::size_t place = 0;
  switch (stream_) {
    case RandomStream::kTorchCpu:
      place = choose_torch_cpu(candidates, size, usable);
      break;
    case RandomStream::kTorchCpuMkl:
      place = choose_torch_cpu_mkl(candidates, usable);
      break;
    case RandomStream::kTorchCuda:
      place = choose_torch_cuda(candidates, size, usable);
      break;
  }
  ++calls_;
  return place;
}

// q = -log(1 - u) is at least u.
template <class Candidates>
std::size_t ExponentialStream::choose_torch_cpu(const Candidates& candidates, std::size_t size,
                                                std::size_t usable) {
  LargestQuotient best;
  std::size_t drawn = 0;
  for (std::size_t place = 0; place < candidates.count(); ++place) {
    std::size_t id = candidates.id(place);
    if (id >= usable) break;
    assert(id >= drawn && id < size);  // ascending
    generator_.discard64(id - drawn);
    drawn = id + 1;
    double uniform = torch_cpu_uniform(generator_);
    float probability = candidates.probability(place);
    if (best.is_beaten(probability, uniform)) continue;
    best.offer(place, probability / torch_cpu_draw(uniform));
  }
  generator_.discard64(size - drawn);
  return best.place();
}

// q = -log(u) is at least 1 - u.
template <class Candidates>
std::size_t ExponentialStream::choose_torch_cpu_mkl(const Candidates& candidates,
                                                    std::size_t usable) {
  LargestQuotient best;
  Mcg31 uniforms(generator_);
  std::size_t drawn = 0;
  for (std::size_t place = 0; place < candidates.count(); ++place) {
    std::size_t id = candidates.id(place);
    if (id >= usable) break;
    assert(id >= drawn);  // ascending
    uniforms.discard(id - drawn);
    drawn = id + 1;
    double uniform = uniforms.next();
    float probability = candidates.probability(place);
    if (best.is_beaten(probability, 1.0 - uniform)) continue;
    best.offer(place, probability / mkl_draw(uniform));
  }
  return best.place();
}

template <class Candidates>
std::size_t ExponentialStream::choose_torch_cuda(const Candidates& candidates, std::size_t size,
                                                 std::size_t usable) {
  std::vector<float> draws(size);
  exponential_torch_cuda(seed_, calls_, draws);
  LargestQuotient best;
  for (std::size_t place = 0; place < candidates.count(); ++place) {
    std::size_t id = candidates.id(place);
    if (id < usable) best.offer(place, candidates.probability(place) / draws[id]);
  }
  return best.place();
}

}  // namespace chorus::sampling
