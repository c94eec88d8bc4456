// The error bounds of the kernels' own transcendental functions, against double precision.

#include "kernels/exp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace chorus::kernels {
namespace {

double ulp(double value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  return std::ldexp(1.0, std::max(exponent - 24, -149));
}

TEST(Exp, ErrorIsBelow1_05UlpOverTheWholeRange) {
  double worst = 0.0;
  for (double x = -103.9; x < 88.72; x += 0.00037) {
    auto argument = static_cast<float>(x);
    double exact = std::exp(static_cast<double>(argument));
    double error = std::fabs(static_cast<double>(exp_f32(argument)) - exact);
    worst = std::max(worst, error / ulp(exact));
  }
  EXPECT_LT(worst, 1.05);
  RecordProperty("worst_ulp", std::to_string(worst));
}

TEST(Exp, EdgesAreExact) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(exp_f32(0.0f), 1.0f);
  EXPECT_EQ(exp_f32(-0.0f), 1.0f);
  EXPECT_EQ(exp_f32(-kInfinity), 0.0f);
  EXPECT_EQ(exp_f32(kInfinity), kInfinity);
  EXPECT_EQ(exp_f32(89.0f), kInfinity);
  EXPECT_EQ(exp_f32(-105.0f), 0.0f);
  EXPECT_TRUE(std::isnan(exp_f32(std::numeric_limits<float>::quiet_NaN())));
}

TEST(Gelu, BothFormsAgreeWithDoublePrecision) {
  double worst_tanh = 0.0, worst_erf = 0.0;
  for (double x = -12.0; x < 12.0; x += 0.00021) {
    auto argument = static_cast<float>(x);
    auto v = static_cast<double>(argument);
    double u = std::sqrt(2.0 / M_PI) * (v + 0.044715 * v * v * v);
    double tanh_form = v / (1.0 + std::exp(-2.0 * u));
    double erf_form = 0.5 * v * std::erfc(-v / std::sqrt(2.0));
    worst_tanh =
        std::max(worst_tanh, std::fabs(static_cast<double>(gelu_tanh_f32(argument)) - tanh_form));
    worst_erf =
        std::max(worst_erf, std::fabs(static_cast<double>(gelu_erf_f32(argument)) - erf_form));
  }
  EXPECT_LT(worst_tanh, 1e-6);
  EXPECT_LT(worst_erf, 1e-6);
  RecordProperty("worst_tanh", std::to_string(worst_tanh));
  RecordProperty("worst_erf", std::to_string(worst_erf));
}

}  // namespace
}  // namespace chorus::kernels
