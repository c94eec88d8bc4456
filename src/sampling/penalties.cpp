#include "sampling/penalties.h"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

namespace chorus::sampling {
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

void add_bias(const SamplingParams& params, std::span<float> logits) {
  for (const auto& [id, bias] : params.logit_bias) {
    if (static_cast<std::size_t>(id) < logits.size()) logits[static_cast<std::size_t>(id)] += bias;
  }
}

}  // namespace

bool adjusts_logits(const SamplingParams& params) {
  return params.repetition_penalty != 1.0f || params.presence_penalty != 0.0f ||
         params.frequency_penalty != 0.0f || !params.logit_bias.empty();
}

void adjust_logits(const SamplingParams& params, const History& history,
                   std::span<const std::int32_t> banned, std::span<float> logits) {
  bool bias_first = params.loop == SamplingLoop::kTransformers;
  if (bias_first) add_bias(params, logits);
  if (adjusts_logits(params)) penalise(params, history, logits);
  if (!bias_first) add_bias(params, logits);
  for (std::int32_t id : banned) {
    if (static_cast<std::size_t>(id) >= logits.size()) continue;
    logits[static_cast<std::size_t>(id)] = -std::numeric_limits<float>::infinity();
  }
}

namespace {

// Sets to 0 all but the likeliest of the probabilities of at least `floor` that together reach
// `top_p`; false, and nothing done, if those do not reach it.
bool keep_top_p(std::span<float> probabilities, double top_p, float floor) {
  std::vector<std::int32_t> order;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    if (probabilities[i] >= floor) order.push_back(static_cast<std::int32_t>(i));
  }
  auto probability = [&](std::int32_t id) { return probabilities[static_cast<std::size_t>(id)]; };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int32_t a, std::int32_t b) { return probability(a) > probability(b); });
  double sum = 0.0;
  std::size_t kept = 0;
  while (kept < order.size() && (kept == 0 || sum < top_p)) {
    sum += static_cast<double>(probability(order[kept++]));
  }
  if (sum < top_p) return false;
  std::vector<std::pair<std::int32_t, float>> chosen;
  for (std::size_t i = 0; i < kept; ++i) chosen.emplace_back(order[i], probability(order[i]));
  std::fill(probabilities.begin(), probabilities.end(), 0.0f);
  for (const auto& [id, p] : chosen) probabilities[static_cast<std::size_t>(id)] = p;
  return true;
}

}  // namespace

void filter_probabilities(const SamplingParams& params, std::span<float> probabilities) {
  if (params.min_p > 0.0f) {
    float least = params.min_p * *std::max_element(probabilities.begin(), probabilities.end());
    for (float& p : probabilities) p = p < least ? 0.0f : p;
  }
  if (params.top_p >= 1.0) return;
  // Most of a vocabulary is too unlikely to matter: what lies below this floor has, all together,
  // less than half of what may be left out, and need not be sorted.
  double top_p = params.top_p;
  auto floor = static_cast<float>((1.0 - top_p) / 2.0 / static_cast<double>(probabilities.size()));
  if (keep_top_p(probabilities, top_p, floor)) return;
  keep_top_p(probabilities, top_p, std::numeric_limits<float>::denorm_min());
}

}  // namespace chorus::sampling
