#include "sampling/masked_logits.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "sampling/top_k.h"

namespace chorus::sampling {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// PyTorch's softmax adds in so many lanes: position i in lane i mod 8 (kernels.h).
constexpr std::size_t kTorchLanes = 8;

// A number that is ordered as the float is; -0 and 0 are one.
std::uint32_t sort_key(float value) {
  auto bits = std::bit_cast<std::uint32_t>(value + 0.0f);
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
}

}  // namespace

void MaskedLogits::assign(const kernels::Kernels& kernels, std::span<const float> logits,
                          std::size_t usable, std::size_t k) {
  assert(1 <= usable && usable <= logits.size());
  kernels_ = &kernels;
  size_ = logits.size();
  kept_.clear();
  float below = kMinusInfinity;  // what is kept is over it; a logit of -inf has no probability
  if (k > 0 && k < usable) {
    float least = kth_largest(kernels, logits.first(usable), k, values_);
    below = std::nextafter(least, kMinusInfinity);
  }
  for (std::size_t i = 0; i < size_; ++i) {
    i = kernels.sampling.find_over(logits.data(), i, size_, below);
    if (i < size_) kept_.push_back({logits[i], static_cast<std::int32_t>(i)});
  }
}

// transformers sorts all logits, ascending, sums the probabilities in double precision, each sum
// rounded to float, and takes out those whose sum is not over 1 - top_p.
void MaskedLogits::keep_top_p(double top_p) {
  assert(!kept_.empty());
  sort_ascending();
  std::size_t first = size_ - sorted_.size();  // those before it are -inf
  softmax_at(sorted_, [first](std::size_t i) { return first + i; });
  auto most = static_cast<float>(1.0 - top_p);
  double sum = 0.0;
  std::size_t removed = 0;
  while (removed + 1 < sorted_.size()) {
    sum += static_cast<double>(candidates_[removed].probability);
    if (static_cast<float>(sum) > most) break;
    ++removed;
  }
  if (removed > 0 && sorted_[removed - 1].value == sorted_[removed].value) sort_as_torch();
  kept_.assign(sorted_.begin() + static_cast<std::ptrdiff_t>(removed), sorted_.end());
  std::sort(kept_.begin(), kept_.end(), [](const Logit& a, const Logit& b) { return a.id < b.id; });
}

void MaskedLogits::keep_min_p(float min_p) {
  softmax();
  float largest = 0.0f;
  for (const Candidate& candidate : candidates_) {
    largest = std::max(largest, candidate.probability);
  }
  std::size_t count = 0;
  for (std::size_t i = 0; i < kept_.size(); ++i) {
    if (!(candidates_[i].probability < min_p * largest)) kept_[count++] = kept_[i];
  }
  kept_.resize(count);
}

std::span<const Candidate> MaskedLogits::softmax() {
  softmax_at(kept_, [this](std::size_t i) { return static_cast<std::size_t>(kept_[i].id); });
  return candidates_;
}

// sorted_ becomes kept_ by value, equal ones by id. A radix sort, 11 bits at a time, where there are
// many.
void MaskedLogits::sort_ascending() {
  constexpr std::size_t kFew = 512, kBits = 11, kBuckets = std::size_t{1} << kBits;
  sorted_ = kept_;
  if (sorted_.size() <= kFew) {
    std::stable_sort(sorted_.begin(), sorted_.end(),
                     [](const Logit& a, const Logit& b) { return a.value < b.value; });
    return;
  }
  room_.resize(sorted_.size());
  for (std::size_t shift = 0; shift < 32; shift += kBits) {
    std::array<std::uint32_t, kBuckets + 1> begin{};
    auto bucket = [shift](const Logit& logit) {
      return (sort_key(logit.value) >> shift) & (kBuckets - 1);
    };
    for (const Logit& logit : sorted_) ++begin[bucket(logit) + 1];
    for (std::size_t i = 1; i <= kBuckets; ++i) begin[i] += begin[i - 1];
    for (const Logit& logit : sorted_) room_[begin[bucket(logit)]++] = logit;
    sorted_.swap(room_);
  }
}

// The same in the order in which torch.sort leaves equal values on a CPU: that of libstdc++'s sort
// of all pairs (value, id) of the vocabulary, which compares the values alone. It is slow, and
// needed only where equal values are to be parted.
void MaskedLogits::sort_as_torch() {
  room_.clear();
  for (std::size_t i = 0; i < size_; ++i) {
    room_.push_back({kMinusInfinity, static_cast<std::int32_t>(i)});
  }
  for (const Logit& logit : kept_) room_[static_cast<std::size_t>(logit.id)] = logit;
  std::sort(room_.begin(), room_.end(),
            [](const Logit& a, const Logit& b) { return a.value < b.value; });
  sorted_.assign(room_.end() - static_cast<std::ptrdiff_t>(kept_.size()), room_.end());
}

// The softmax of a vocabulary that has logits[i] at position(i), ascending, and -inf elsewhere. The
// -inf add nothing to a lane's sum, so most are left out: each logit goes to the next place in its
// own lane.
template <class Position>
void MaskedLogits::softmax_at(std::span<const Logit> logits, Position position) {
  values_.clear();
  where_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    std::size_t place = values_.size();
    place += (position(i) + kTorchLanes - place % kTorchLanes) % kTorchLanes;
    values_.resize(place, kMinusInfinity);
    values_.push_back(logits[i].value);
    where_.push_back(place);
  }
  if (!values_.empty()) {
    kernels_->sampling.softmax(values_.data(), values_.size(), values_.data());
  }
  candidates_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    candidates_.push_back({values_[where_[i]], logits[i].id});
  }
}

}  // namespace chorus::sampling
