// GPT-2 once more, in double precision, by the textbook and without a cache: the oracle that the
// model is compared with. Slow on purpose; for tests alone.
#pragma once

#include <cmath>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "core/half.h"
#include "model/packed_matrix.h"

namespace chorus::test {

using Matrix = std::vector<std::vector<double>>;  // [rows][columns]

// What is rounded to bf16: nothing, or the factors of every product with a matrix of weights.
enum class Rounding { kNone, kBf16 };

class Reference {
 public:
  explicit Reference(const checkpoint::Checkpoint& checkpoint, Rounding rounding = Rounding::kNone)
      : checkpoint_(checkpoint), config_(checkpoint.config), rounding_(rounding) {}

  // [ids][V] logits.
  Matrix logits(const std::vector<std::int32_t>& ids) const {
    Matrix x;
    for (std::size_t t = 0; t < ids.size(); ++t) {
      std::vector<double> row = rounded(tensor("wte.weight"))[static_cast<std::size_t>(ids[t])];
      for (std::size_t c = 0; c < row.size(); ++c) row[c] += tensor("wpe.weight")[t][c];
      x.push_back(row);
    }
    for (std::int64_t i = 0; i < config_.n_layer; ++i) {
      std::string layer = "h." + std::to_string(i) + ".";
      add(x, linear(layer + "attn.c_proj",
                    attention(linear(layer + "attn.c_attn", norm(layer + "ln_1", x)), i)));
      Matrix inner = linear(layer + "mlp.c_fc", norm(layer + "ln_2", x));
      for (auto& row : inner) {
        for (double& value : row) value = activate(value);
      }
      add(x, linear(layer + "mlp.c_proj", inner));
    }
    return linear(config_.tie_word_embeddings ? "wte" : "lm_head", norm("ln_f", x), false);
  }

 private:
  Matrix tensor(const std::string& name) const {
    const checkpoint::Tensor& found = checkpoint_.tensors.at(name);
    auto values = model::widen(found);
    auto columns = static_cast<std::size_t>(found.shape.back());
    Matrix matrix(values.size() / columns);
    for (std::size_t i = 0; i < values.size(); ++i) {
      matrix[i / columns].push_back(static_cast<double>(values[i]));
    }
    return matrix;
  }

  Matrix rounded(Matrix matrix) const {
    if (rounding_ == Rounding::kNone) return matrix;
    for (auto& row : matrix) {
      for (double& value : row) {
        value = static_cast<double>(bf16_to_f32(f32_to_bf16(static_cast<float>(value))));
      }
    }
    return matrix;
  }

  double activate(double x) const {
    switch (config_.activation) {
      case checkpoint::Activation::kRelu:
        return std::max(x, 0.0);
      case checkpoint::Activation::kGeluErf:
        return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0)));
      default:
        return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
    }
  }

  static void add(Matrix& x, const Matrix& y) {
    for (std::size_t r = 0; r < x.size(); ++r) {
      for (std::size_t c = 0; c < x[r].size(); ++c) x[r][c] += y[r][c];
    }
  }

  Matrix norm(const std::string& name, const Matrix& x) const {
    std::vector<double> weight = tensor(name + ".weight")[0];
    std::vector<double> bias(weight.size(), 0.0);
    if (config_.bias) bias = tensor(name + ".bias")[0];
    Matrix out = x;
    for (auto& row : out) {
      double mean = 0.0, variance = 0.0;
      auto n = static_cast<double>(row.size());
      for (double value : row) mean += value / n;
      for (double value : row) variance += (value - mean) * (value - mean) / n;
      for (std::size_t c = 0; c < row.size(); ++c) {
        row[c] = (row[c] - mean) / std::sqrt(variance + config_.layer_norm_epsilon) * weight[c] +
                 bias[c];
      }
    }
    return out;
  }

  Matrix linear(const std::string& name, const Matrix& x, bool with_bias = true) const {
    Matrix weight = rounded(tensor(name + ".weight"));
    std::vector<double> bias(weight.size(), 0.0);
    if (with_bias && config_.bias) bias = tensor(name + ".bias")[0];
    Matrix out;
    for (const auto& row : rounded(x)) {
      std::vector<double> result = bias;
      for (std::size_t n = 0; n < weight.size(); ++n) {
        for (std::size_t k = 0; k < row.size(); ++k) result[n] += row[k] * weight[n][k];
      }
      out.push_back(result);
    }
    return out;
  }

  Matrix attention(const Matrix& qkv, std::int64_t layer) const {
    auto channels = static_cast<std::size_t>(config_.n_embd);
    std::size_t size = channels / static_cast<std::size_t>(config_.n_head);
    double scale = config_.scale_attn_weights ? 1.0 / std::sqrt(static_cast<double>(size)) : 1.0;
    if (config_.scale_attn_by_inverse_layer_idx) scale /= static_cast<double>(layer + 1);
    Matrix out(qkv.size(), std::vector<double>(channels, 0.0));
    for (std::size_t head = 0; head < channels; head += size) {
      for (std::size_t t = 0; t < qkv.size(); ++t) {
        std::vector<double> weights;
        double sum = 0.0;
        for (std::size_t s = 0; s <= t; ++s) {
          double score = 0.0;
          for (std::size_t d = head; d < head + size; ++d)
            score += qkv[t][d] * qkv[s][channels + d];
          weights.push_back(std::exp(score * scale));
          sum += weights.back();
        }
        for (std::size_t s = 0; s <= t; ++s) {
          for (std::size_t d = head; d < head + size; ++d) {
            out[t][d] += weights[s] / sum * qkv[s][2 * channels + d];
          }
        }
      }
    }
    return out;
  }

  const checkpoint::Checkpoint& checkpoint_;
  const checkpoint::ModelConfig& config_;
  Rounding rounding_;
};

}  // namespace chorus::test
