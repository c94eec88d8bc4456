// Kernels that need all elements at once: norms, softmax, sums and searches, over vectors. Sums are
// made as scalar.cpp defines them, in 16 interleaved partial sums (PyTorch's softmax over a
// vocabulary: 8) joined by one fixed tree, whatever the width of a vector.
#pragma once

#include "kernels/vector/elementwise.h"

namespace chorus::kernels {
namespace {

constexpr std::size_t kSums = 16;  // interleaved partial sums
constexpr std::size_t kSumVectors = kSums / kLanes;

float max(const float* x, std::size_t n) {
  float largest = x[0];
  std::size_t i = 0;
  if (n >= kLanes) {
    Vector lanes = Vector::load(x);
    for (i = kLanes; i + kLanes <= n; i += kLanes) lanes = max(Vector::load(x + i), lanes);
    float values[kLanes];
    lanes.store(values);
    for (float value : values) largest = value > largest ? value : largest;
  }
  for (; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

// Adds `value(i, lanes)`, a vector that holds 0 beyond the first `lanes` lanes, for every i, to
// kSums interleaved partial sums, and joins them. `lanes` is kLanes but at the tail.
template <class Value>
inline float interleaved_sum(std::size_t n, Value value) {
  Vector sums[kSumVectors];
  for (Vector& sum : sums) sum = Vector::zero();
  std::size_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (std::size_t v = 0; v < kSumVectors; ++v) {
      sums[v] = sums[v] + value(i + v * kLanes, kLanes);
    }
  }
  for (std::size_t v = 0; i < n; ++v, i += kLanes) {
    sums[v] = sums[v] + value(i, n - i < kLanes ? n - i : kLanes);
  }
  return sum16(sums);
}

void layer_norm(const float* x, const float* weight, const float* bias, float epsilon,
                std::size_t n, float* out) {
  auto count = static_cast<float>(n);
  float mean = interleaved_sum(
                   n, [x](std::size_t i, std::size_t lanes) { return load_lanes(x + i, lanes); }) /
               count;
  Vector means = Vector::broadcast(mean);

  Vector squares[kSumVectors];
  for (Vector& sum : squares) sum = Vector::zero();
  for (std::size_t i = 0; i < n; i += kLanes) {
    Vector& sum = squares[(i / kLanes) % kSumVectors];
    std::size_t lanes = n - i < kLanes ? n - i : kLanes;
    Vector centred = load_lanes(x + i, lanes) - means;
    if (lanes < kLanes) centred = centred.first(lanes);
    sum = fma(centred, centred, sum);
  }
  float scale = 1.0f / __builtin_sqrtf(sum16(squares) / count + epsilon);
  Vector scales = Vector::broadcast(scale);
  for (std::size_t i = 0; i < n; i += kLanes) {
    std::size_t lanes = n - i < kLanes ? n - i : kLanes;
    Vector normal = (load_lanes(x + i, lanes) - means) * scales;
    Vector weights = load_lanes(weight + i, lanes);
    Vector result =
        bias != nullptr ? fma(normal, weights, load_lanes(bias + i, lanes)) : normal * weights;
    store_lanes(result, out + i, lanes);
  }
}

void softmax(float* x, std::size_t n, float scale) {
  scale_all(x, n, scale);
  Vector largest = Vector::broadcast(max(x, n));
  float sum = interleaved_sum(n, [x, largest](std::size_t i, std::size_t lanes) {
    Vector value = exp_vector(load_lanes(x + i, lanes) - largest);
    if (lanes < kLanes) value = value.first(lanes);
    store_lanes(value, x + i, lanes);
    return value;
  });
  scale_all(x, n, 1.0f / sum);
}

void softmax_vocabulary(const float* x, std::size_t n, float* out) {
  Vector largest = Vector::broadcast(max(x, n));
  Eights sums = Eights::zero();
  for (std::size_t i = 0; i < n; i += kLanes) {
    std::size_t lanes = n - i < kLanes ? n - i : kLanes;
    Vector value = exp_vector(load_lanes(x + i, lanes) - largest);
    if (lanes < kLanes) value = value.first(lanes);
    sums = add_eights(sums, value);
    store_lanes(value, out + i, lanes);
  }
  scale_all(out, n, 1.0f / sums.total());
}

std::size_t find_over(const float* x, std::size_t begin, std::size_t n, float threshold) {
  Vector thresholds = Vector::broadcast(threshold);
  std::size_t i = begin;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    unsigned any = 0;
    for (std::size_t v = 0; v < 4; ++v) any |= over(Vector::load(x + i + v * kLanes), thresholds);
    if (any != 0) break;
  }
  for (; i + kLanes <= n; i += kLanes) {
    unsigned found = over(Vector::load(x + i), thresholds);
    if (found != 0) return i + static_cast<std::size_t>(__builtin_ctz(found));
  }
  while (i < n && !(x[i] > threshold)) ++i;
  return i;
}

// The sum of value(x) over all elements, in blocks.
template <class Value>
inline double block_sum(const float* x, std::size_t n, Value value) {
  double sum = 0.0;
  for (std::size_t begin = 0; begin < n; begin += kSumExpBlock) {
    std::size_t count = n - begin < kSumExpBlock ? n - begin : kSumExpBlock;
    const float* block = x + begin;
    float part = interleaved_sum(count, [block, value](std::size_t i, std::size_t lanes) {
      Vector result = value(load_lanes(block + i, lanes));
      return lanes < kLanes ? result.first(lanes) : result;
    });
    sum += static_cast<double>(part);
  }
  return sum;
}

double sum_exp(const float* x, std::size_t n, float largest) {
  Vector shift = Vector::broadcast(largest);
  return block_sum(x, n, [shift](Vector v) { return exp_vector(v - shift); });
}

double sum_exp_gap(const float* x, std::size_t n, float largest) {
  Vector shift = Vector::broadcast(largest);
  Vector most = Vector::broadcast(-kExpLow);
  return block_sum(x, n, [shift, most](Vector v) {
    Vector gap = shift - v;
    return exp_vector(v - shift) * less(gap, most, gap, most);
  });
}

}  // namespace
}  // namespace chorus::kernels
