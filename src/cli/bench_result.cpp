#include "cli/bench_result.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace chorus::cli {
namespace {

double peak(NumberFormat dtype, const limits::Limits& limits) {
  if (is_quantised(dtype)) return limits.best_int8().best;
  return dtype == NumberFormat::kBf16 ? limits.best_bf16().best : limits.f32.best;
}

}  // namespace

double mean(const std::vector<double>& values) {
  if (values.empty()) return 0.0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(const std::vector<double>& values) {
  if (values.size() < 2) return 0.0;
  double middle = mean(values), sum = 0.0;
  for (double value : values) sum += (value - middle) * (value - middle);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

std::optional<double> share_of_limit(const BenchResult& result) {
  if (!result.limit) return std::nullopt;
  return mean(result.rates) / *result.limit;
}

double operations_per_token(const checkpoint::ModelConfig& config, bool with_head) {
  auto channels = static_cast<double>(config.n_embd);
  double layer = channels * (4.0 * channels + 2.0 * static_cast<double>(config.n_inner));
  double head = with_head ? channels * static_cast<double>(config.vocab_size) : 0.0;
  return 2.0 * (static_cast<double>(config.n_layer) * layer + head);
}

double prompt_limit(const checkpoint::ModelConfig& config, NumberFormat dtype,
                    const limits::Limits& limits) {
  return peak(dtype, limits) / operations_per_token(config, /*with_head=*/false);
}

std::optional<double> generation_limit(const checkpoint::ModelConfig& config, NumberFormat dtype,
                                       std::uint64_t weight_bytes, std::size_t streams,
                                       const limits::Limits& limits) {
  std::optional<limits::Figure> read = limits.read(weight_bytes);
  if (!read) return std::nullopt;
  double by_reading = read->best / static_cast<double>(weight_bytes) * static_cast<double>(streams);
  return std::min(by_reading, peak(dtype, limits) / operations_per_token(config, true));
}

}  // namespace chorus::cli
