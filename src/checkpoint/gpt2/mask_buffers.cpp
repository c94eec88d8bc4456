#include "checkpoint/gpt2/mask_buffers.h"

#include <fmt/format.h>

#include <cstring>

#include "checkpoint/element.h"
#include "core/error_text.h"

namespace chorus::checkpoint {
namespace {

// The elements of one buffer, without dimensions of one.
struct MaskView {
  std::vector<std::int64_t> shape, strides;
  std::span<const std::byte> data;
  std::size_t element_bytes;
  bool is_float;

  // Anything but 0 and -0.
  bool is_set(std::int64_t offset) const {
    std::uint64_t bits = 0;
    std::memcpy(&bits, data.data() + static_cast<std::size_t>(offset) * element_bytes,
                element_bytes);
    if (is_float) bits &= ~(std::uint64_t{1} << (8 * element_bytes - 1));
    return bits != 0;
  }
};

MaskView mask_view(const std::vector<std::int64_t>& shape, const std::vector<std::int64_t>& strides,
                   std::span<const std::byte> data, std::size_t element_bytes, bool is_float) {
  MaskView view{{}, {}, data, element_bytes, is_float};
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    view.shape.push_back(shape[i]);
    view.strides.push_back(strides[i]);
  }
  return view;
}

// Whether `count` elements in a row, without gaps, are all set, or none. Without an early end, so that
// the compiler makes vectors of it.
template <class Bits>
bool are_all(const std::byte* data, std::int64_t count, Bits mask, bool set) {
  bool differs = false;
  for (std::int64_t i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, data + static_cast<std::size_t>(i) * sizeof bits, sizeof bits);
    differs |= ((bits & mask) != 0) != set;
  }
  return !differs;
}

bool are_all(const MaskView& view, std::int64_t offset, std::int64_t count, bool set) {
  const std::byte* data = view.data.data() + static_cast<std::size_t>(offset) * view.element_bytes;
  auto without_sign = [&](auto ones) {
    using Bits = decltype(ones);
    return static_cast<Bits>(view.is_float ? static_cast<Bits>(ones >> 1) : ones);
  };
  if (view.strides[1] == 1 && view.element_bytes == 1) {
    return are_all(data, count, without_sign(std::uint8_t{UINT8_MAX}), set);
  }
  if (view.strides[1] == 1 && view.element_bytes == 2) {
    return are_all(data, count, without_sign(std::uint16_t{UINT16_MAX}), set);
  }
  if (view.strides[1] == 1 && view.element_bytes == 4) {
    return are_all(data, count, without_sign(std::uint32_t{UINT32_MAX}), set);
  }
  for (std::int64_t i = 0; i < count; ++i, offset += view.strides[1]) {
    if (view.is_set(offset) != set) return false;
  }
  return true;
}

// Whether what is on and below the diagonal is `below`, and what is above it the opposite.
bool is_triangle(const MaskView& view, bool below) {
  const std::int64_t n = view.shape[0];
  for (std::int64_t row = 0; row < n; ++row) {
    std::int64_t first = row * view.strides[0];
    bool fits =
        are_all(view, first, row + 1, below) &&
        (row + 1 == n || are_all(view, first + (row + 1) * view.strides[1], n - row - 1, !below));
    if (!fits) return false;
  }
  return true;
}

Error another_mask() {
  return {ErrorCode::kUnsupported,
          "a mask of attention other than the causal one, in which each position sees itself and "
          "what is before it: Chorus computes no other; use the program that the model was trained "
          "with, or save the model without this tensor if that program does not use it"};
}

// "bias" and "tril" show what is seen, as GPT-2, minGPT and nanoGPT have them; others may as well
// show what is hidden, or be added to the scores.
Result<bool> check_mask(std::string_view name, const MaskView& view, std::int64_t& left) {
  if (view.shape.empty()) return true;  // a block of one position
  if (view.shape.size() != 2 || view.shape[0] != view.shape[1]) return false;
  std::int64_t elements = 0;
  if (__builtin_mul_overflow(view.shape[0], view.shape[0], &elements) || elements > left) {
    return Error{ErrorCode::kUnsupported,
                 "the masks of attention have too many elements to look at; save the model "
                 "without them"};
  }
  left -= elements;
  bool is_either = name.ends_with("mask");
  if (is_triangle(view, true) || (is_either && is_triangle(view, false))) return true;
  return another_mask();
}

}  // namespace

Result<bool> MaskBuffers::check(std::string_view name, const Tensor& tensor) {
  if (tensor.data.empty()) return true;
  MaskView view =
      mask_view(tensor.shape, tensor.strides, tensor.data, block_bytes(tensor.dtype), true);
  if (!name.ends_with(".masked_bias")) return check_mask(name, view, left_);
  if (!view.shape.empty()) return false;
  // exp() of it must be 0 beside any score; GPT-2's is -10,000, later ones are lower.
  constexpr float kHighest = -1000;
  float value = load_element(tensor.dtype, tensor.data.data());
  if (value <= kHighest) return true;
  return Error{ErrorCode::kUnsupported,
               fmt::format("{}: what a mask hides would still be seen; expected at most {}", value,
                           kHighest)};
}

Result<bool> MaskBuffers::check(std::string_view name, const OtherTensor& tensor) {
  if (tensor.data.empty()) return true;
  MaskView view =
      mask_view(tensor.shape, tensor.strides, tensor.data, tensor.element_bytes, tensor.is_f64);
  if (!name.ends_with(".masked_bias")) return check_mask(name, view, left_);
  return view.shape.empty();
}

}  // namespace chorus::checkpoint
