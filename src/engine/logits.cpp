#include "engine/logits.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace chorus::engine {
namespace {

void penalise(const SamplingParams& params, const History& history, std::span<float> logits) {
  std::unordered_map<std::int32_t, std::int32_t> seen;  // id to how often it was generated
  for (std::size_t i = 0; i < history.tokens.size(); ++i) {
    seen[history.tokens[i]] += i < history.prompt_length ? 0 : 1;
  }
  for (const auto& [id, generated] : seen) {
    if (static_cast<std::size_t>(id) >= logits.size()) continue;
    float& logit = logits[static_cast<std::size_t>(id)];
    logit = logit > 0.0f ? logit / params.repetition_penalty : logit * params.repetition_penalty;
    if (generated == 0) continue;
    logit -= params.presence_penalty;
    logit -= params.frequency_penalty * static_cast<float>(generated);
  }
}

}  // namespace

bool adjusts_logits(const SamplingParams& params) {
  return params.repetition_penalty != 1.0f || params.presence_penalty != 0.0f ||
         params.frequency_penalty != 0.0f || !params.logit_bias.empty();
}

void adjust_logits(const SamplingParams& params, const History& history,
                   std::span<const std::int32_t> banned, std::span<float> logits) {
  if (adjusts_logits(params)) penalise(params, history, logits);
  for (const auto& [id, bias] : params.logit_bias) {
    if (static_cast<std::size_t>(id) < logits.size()) logits[static_cast<std::size_t>(id)] += bias;
  }
  for (std::int32_t id : banned) {
    if (static_cast<std::size_t>(id) >= logits.size()) continue;
    logits[static_cast<std::size_t>(id)] = -std::numeric_limits<float>::infinity();
  }
}

void filter_probabilities(const SamplingParams& params, std::span<float> probabilities) {
  if (params.min_p > 0.0f) {
    float least = params.min_p * *std::max_element(probabilities.begin(), probabilities.end());
    for (float& p : probabilities) p = p < least ? 0.0f : p;
  }
  if (params.top_p >= 1.0f) return;
  std::vector<std::int32_t> order;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    if (probabilities[i] > 0.0f) order.push_back(static_cast<std::int32_t>(i));
  }
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return probabilities[static_cast<std::size_t>(a)] > probabilities[static_cast<std::size_t>(b)];
  });
  double sum = 0.0;
  for (std::int32_t id : order) {
    float& p = probabilities[static_cast<std::size_t>(id)];
    bool enough = sum >= static_cast<double>(params.top_p) && sum > 0.0;
    sum += static_cast<double>(p);
    if (enough) p = 0.0f;
  }
}

}  // namespace chorus::engine
