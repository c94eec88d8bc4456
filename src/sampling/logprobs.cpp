#include "sampling/logprobs.h"

#include <algorithm>

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

}  // namespace

TokenInfo token_info(const kernels::Kernels& kernels, std::span<const float> logits,
                     std::int32_t usable, std::int32_t id, std::int32_t top) {
  float largest = kernels.sampling.max(logits.data(), logits.size());
  double log_sum = natural_log(kernels.sampling.sum_exp(logits.data(), logits.size(), largest));
  auto logprob = [&](std::int32_t token) {
    double shifted =
        static_cast<double>(logits[static_cast<std::size_t>(token)]) - static_cast<double>(largest);
    return shifted - log_sum;
  };
  TokenInfo info{.id = id, .logprob = logprob(id)};
  auto count = static_cast<std::size_t>(std::min(top, usable));
  for (std::int32_t token :
       largest_ids(kernels, logits.first(static_cast<std::size_t>(usable)), count)) {
    info.top.push_back({token, logprob(token)});
  }
  return info;
}

}  // namespace chorus::sampling
