// Looks for weights that are not numbers. Pure.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>
#include <tuple>

#include "checkpoint/checkpoint.h"
#include "checkpoint/element.h"
#include "checkpoint/safetensors/quantised.h"
#include "core/finite.h"

namespace chorus::checkpoint {
namespace {

template <class Bits, class Check>
bool all_finite(const std::byte* data, std::size_t count) {
  constexpr std::size_t kBlock = 4096;
  Bits block[kBlock];  // the data may be unaligned
  for (std::size_t start = 0; start < count; start += kBlock) {
    std::size_t length = std::min(kBlock, count - start);
    std::memcpy(block, data + start * sizeof(Bits), length * sizeof(Bits));
    Check check;
    for (std::size_t i = 0; i < length; ++i) check.add(block[i]);
    if (!check.all_finite()) return false;
  }
  return true;
}

}  // namespace

bool all_finite(NumberFormat dtype, const std::byte* data, std::size_t count) {
  switch (dtype) {
    case NumberFormat::kF32:
      return all_finite<std::uint32_t, F32FiniteCheck>(data, count);
    case NumberFormat::kF16:
      return all_finite<std::uint16_t, F16FiniteCheck>(data, count);
    case NumberFormat::kBf16:
      return all_finite<std::uint16_t, Bf16FiniteCheck>(data, count);
    case NumberFormat::kBf16F32:
    case NumberFormat::kInt8:
    case NumberFormat::kInt4:
      break;  // no tensor's
  }
  return true;
}

namespace {

// Row-major in some order of its dimensions, as a transposed matrix is.
bool is_dense(const Tensor& tensor) {
  std::vector<std::size_t> order(tensor.shape.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, std::greater{}, [&](std::size_t i) { return tensor.strides[i]; });
  Tensor sorted{tensor.dtype, {}, {}, tensor.data};
  for (std::size_t i : order) {
    sorted.shape.push_back(tensor.shape[i]);
    sorted.strides.push_back(tensor.strides[i]);
  }
  return sorted.is_contiguous();
}

// "[3, 17] is nan" for the first such element in row-major order.
std::optional<std::string> find_element(const Tensor& tensor) {
  std::vector<std::int64_t> index(tensor.shape.size(), 0);
  for (std::int64_t left = tensor.element_count(); left > 0; --left) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < index.size(); ++i) offset += index[i] * tensor.strides[i];
    float value = load_element(tensor.dtype, tensor.data.data() + static_cast<std::size_t>(offset) *
                                                                      block_bytes(tensor.dtype));
    if (!std::isfinite(value)) {
      return fmt::format("[{}] is {}", fmt::join(index, ", "), std::isnan(value) ? "nan" : "inf");
    }
    for (std::size_t i = index.size(); i-- > 0;) {
      if (++index[i] < tensor.shape[i]) break;
      index[i] = 0;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> find_nonfinite(const Checkpoint& checkpoint) {
  std::set<std::tuple<const std::byte*, std::int64_t, NumberFormat>>
      checked;  // storages that are finite
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (is_dense(tensor)) {
      std::tuple storage(tensor.data.data(), tensor.element_count(), tensor.dtype);
      if (checked.contains(storage)) continue;
      auto count = static_cast<std::size_t>(tensor.element_count());
      if (all_finite(tensor.dtype, tensor.data.data(), count)) {
        checked.insert(storage);
        continue;
      }
    }
    if (auto element = find_element(tensor)) return name + *element;
  }
  for (const auto& [name, matrix] : checkpoint.quantised) {
    for (const auto& vector : {matrix.common, matrix.shares}) {
      if (!vector) continue;
      if (auto element = find_element(*vector)) {
        return name + (vector->data.data() == matrix.common->data.data() ? ".common" : ".shares") +
               *element;
      }
    }
    Tensor scales{NumberFormat::kBf16, scales_shape(matrix), {}, matrix.scales};
    if (all_finite(NumberFormat::kBf16, scales.data.data(), scales.data.size() / 2)) continue;
    scales.strides = {scales.shape[1] * scales.shape[2], scales.shape[2], 1};
    return name + ".scales" + find_element(scales).value_or("");
  }
  return std::nullopt;
}

}  // namespace chorus::checkpoint
