// Logits of which most are -inf: what nanoGPT's loop and transformers' generate() make of them with
// top_k, top_p and min_p before they draw over the whole vocabulary. Only the others are kept, so
// that each further step costs what is left. Every rule is that of transformers 4.40 (min_p: 4.42)
// with one token to keep; nanoGPT's own top_k is the same. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernels.h"
#include "sampling/candidate.h"

namespace chorus::sampling {

class MaskedLogits {
 public:
  // Begins with `logits`, which hold no NaN and no +inf: leaves those not below the k-th largest of
  // the first `usable`, equal ones all; with k 0, or at least their number, leaves every one.
  void assign(const kernels::Kernels& kernels, std::span<const float> logits, std::size_t usable,
              std::size_t k);
  // Leaves the likeliest that together have over top_p, at least one. Of equal ones those stay that
  // torch.sort puts last.
  void keep_top_p(double top_p);
  // Leaves those with at least this share of the likeliest's probability.
  void keep_min_p(float min_p);

  // The softmax over the vocabulary, for the ids that are left, ascending by id. Valid until the
  // next call.
  std::span<const Candidate> softmax();

 private:
  struct Logit {
    float value;
    std::int32_t id;
  };

  void sort_ascending();
  void sort_as_torch();
  template <class Position>
  void softmax_at(std::span<const Logit> logits, Position position);

  const kernels::Kernels* kernels_ = nullptr;
  std::size_t size_ = 0;            // of the vocabulary
  std::vector<Logit> kept_;         // ascending by id
  std::vector<Logit> sorted_;       // the same, ascending by value
  std::vector<Logit> room_;         // for sorting
  std::vector<float> values_;       // for the k-th largest, and of softmax_at()
  std::vector<std::size_t> where_;  // in values_
  std::vector<Candidate> candidates_;
};

}  // namespace chorus::sampling
