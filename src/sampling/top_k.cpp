#include "sampling/top_k.h"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <functional>

namespace chorus::sampling {
namespace {

bool more_probable(const Candidate& a, const Candidate& b) { return a.probability > b.probability; }

Candidate candidate_at(std::span<const float> probabilities, std::size_t i) {
  return {probabilities[i], static_cast<std::int32_t>(i)};
}

// What std::partial_sort does on all pairs (value, id), with room for k + 1 of them: a heap of the
// first k, the least on top; each later value over the top takes its place, by the step that
// pop_heap does when the newcomer stands behind the heap; the heap is sorted at the end.
void select_by_heap(const kernels::Kernels& kernels, std::span<const float> usable, std::size_t k,
                    std::vector<Candidate>& candidates) {
  candidates.resize(k + 1);
  for (std::size_t i = 0; i < k; ++i) candidates[i] = candidate_at(usable, i);
  auto begin = candidates.begin();
  auto end = begin + static_cast<std::ptrdiff_t>(k);
  std::make_heap(begin, end, more_probable);
  for (std::size_t i = k; i < usable.size(); ++i) {
    i = kernels.sampling.find_over(usable.data(), i, usable.size(), candidates.front().probability);
    if (i == usable.size()) break;
    candidates[k] = candidate_at(usable, i);
    std::pop_heap(begin, end + 1, more_probable);
  }
  std::sort_heap(begin, end, more_probable);
  candidates.resize(k);
}

// Fills `candidates` with all pairs, those from `usable` on below everything if `lower_padding`,
// and moves the k largest in front.
void partition(std::span<const float> probabilities, std::size_t usable, bool lower_padding,
               std::size_t k, std::vector<Candidate>& candidates) {
  candidates.resize(probabilities.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    candidates[i] = candidate_at(probabilities, i);
    if (lower_padding && i >= usable) candidates[i].probability = -1.0f;
  }
  auto kth = candidates.begin() + static_cast<std::ptrdiff_t>(k) - 1;
  std::nth_element(candidates.begin(), kth, candidates.end(), more_probable);
}

void select_by_partition(std::span<const float> probabilities, std::size_t usable, std::size_t k,
                         std::vector<Candidate>& candidates) {
  partition(probabilities, usable, false, k, candidates);
  auto end = candidates.begin() + static_cast<std::ptrdiff_t>(k);
  bool has_padding = std::any_of(candidates.begin(), end, [usable](const Candidate& candidate) {
    return static_cast<std::size_t>(candidate.id) >= usable;
  });
  // Padding is lowered only where PyTorch would keep it: its values steer the order of other ties.
  if (has_padding) partition(probabilities, usable, true, k, candidates);
  std::sort(candidates.begin(), end - 1, more_probable);
  candidates.resize(k);
}

}  // namespace

void top_k(const kernels::Kernels& kernels, std::span<const float> probabilities,
           std::int32_t usable, std::int32_t k, std::vector<Candidate>& candidates) {
  assert(1 <= k && k <= usable && static_cast<std::size_t>(usable) <= probabilities.size());
  auto count = static_cast<std::size_t>(k);
  auto end = static_cast<std::size_t>(usable);
  if (count * 64 <= probabilities.size()) {
    select_by_heap(kernels, probabilities.first(end), count, candidates);
  } else {
    select_by_partition(probabilities, end, count, candidates);
  }
}

float kth_largest(const kernels::Kernels& kernels, std::span<const float> values, std::size_t k,
                  std::vector<float>& room) {
  assert(1 <= k && k <= values.size());
  if (k * 64 > values.size()) {
    room.assign(values.begin(), values.end());
    auto kth = room.begin() + static_cast<std::ptrdiff_t>(k) - 1;
    std::nth_element(room.begin(), kth, room.end(), std::greater<>());
    return *kth;
  }
  // A heap of the k largest so far, the least on top.
  room.assign(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(k));
  std::make_heap(room.begin(), room.end(), std::greater<>());
  for (std::size_t i = k; i < values.size(); ++i) {
    i = kernels.sampling.find_over(values.data(), i, values.size(), room.front());
    if (i == values.size()) break;
    std::pop_heap(room.begin(), room.end(), std::greater<>());
    room.back() = values[i];
    std::push_heap(room.begin(), room.end(), std::greater<>());
  }
  return room.front();
}

}  // namespace chorus::sampling
