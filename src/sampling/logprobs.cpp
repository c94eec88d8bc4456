#include "sampling/logprobs.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "sampling/natural_log.h"

namespace chorus::sampling {
namespace {

// The ids of the `count` largest of `values`, descending; of equal ones the lower id first.
std::vector<std::int32_t> largest_ids(const kernels::Kernels& kernels,
                                      std::span<const float> values, std::size_t count) {
  auto value = [&](std::int32_t id) { return values[static_cast<std::size_t>(id)]; };
  auto before = [&](std::int32_t a, std::int32_t b) {
    return value(a) > value(b) || (value(a) == value(b) && a < b);
  };
  std::vector<std::int32_t> ids;
  if (count == 0) return ids;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (ids.size() == count) {
      i = kernels.sampling.find_over(values.data(), i, values.size(), value(ids.back()));
      if (i == values.size()) break;
      ids.pop_back();
    }
    auto id = static_cast<std::int32_t>(i);
    ids.insert(std::upper_bound(ids.begin(), ids.end(), id, before), id);
  }
  return ids;
}

// The place of `id` in the order of largest_ids, from 1 on. One of the padding stands behind all of
// `values` that are not less.
std::int32_t rank_of(std::span<const float> values, float value, std::int32_t id) {
  std::int32_t before = 0;
  for (float other : values) before += other > value ? 1 : 0;
  auto lower = std::min(values.size(), static_cast<std::size_t>(id));
  for (float other : values.first(lower)) before += other == value ? 1 : 0;
  return before + 1;
}

// sum_exp() over some of the logits.
double sum_exp_of(const kernels::Kernels& kernels, std::span<const float> logits,
                  std::span<const std::int32_t> ids, float largest) {
  std::vector<float> gathered;
  gathered.reserve(ids.size());
  for (std::int32_t id : ids) gathered.push_back(logits[static_cast<std::size_t>(id)]);
  return kernels.sampling.sum_exp(gathered.data(), gathered.size(), largest);
}

}  // namespace

TokenInfo token_info(const kernels::Kernels& kernels, std::span<const float> logits,
                     std::int32_t usable, std::int32_t id, TokenDetails details) {
  float largest = kernels.sampling.max(logits.data(), logits.size());
  double sum = kernels.sampling.sum_exp(logits.data(), logits.size(), largest);
  double log_sum = natural_log(sum);
  auto logprob = [&](std::int32_t token) {
    double shifted =
        static_cast<double>(logits[static_cast<std::size_t>(token)]) - static_cast<double>(largest);
    return shifted - log_sum;
  };
  TokenInfo info{.id = id, .logprob = logprob(id)};
  auto choosable = logits.first(static_cast<std::size_t>(usable));
  auto count = static_cast<std::size_t>(std::min(details.top, usable));
  for (std::int32_t token : largest_ids(kernels, choosable, count)) {
    info.top.push_back({token, logprob(token)});
  }
  if (details.rank_and_entropy) {
    double gaps = kernels.sampling.sum_exp_gap(logits.data(), logits.size(), largest);
    info.rank = rank_of(choosable, logits[static_cast<std::size_t>(id)], id);
    info.entropy = log_sum + gaps / sum;
  }
  if (details.boundaries) {
    double part = sum_exp_of(kernels, logits, *details.boundaries, largest);
    info.boundary =
        part == 0.0 ? -std::numeric_limits<double>::infinity() : natural_log(part) - log_sum;
  }
  return info;
}

}  // namespace chorus::sampling
