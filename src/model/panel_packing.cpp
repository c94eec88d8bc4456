#include "model/panel_packing.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <type_traits>

#include "core/finite.h"
#include "core/half.h"
#include "kernels/bf16.h"
#include "kernels/panels.h"

namespace chorus::model {
namespace {

using checkpoint::Tensor;
using kernels::kPanelWidth;

constexpr std::size_t kBlock = 64;  // inputs that are packed at a time: whole groups

// --- one weight ---

template <NumberFormat format>
using Bits = std::conditional_t<format == NumberFormat::kF32, std::uint32_t, std::uint16_t>;

template <NumberFormat from, NumberFormat to>
Bits<to> converted(Bits<from> bits) {
  if constexpr (from == NumberFormat::kF32 && to == NumberFormat::kF32) {
    return bits;
  } else {
    float value = from == NumberFormat::kF32   ? std::bit_cast<float>(std::uint32_t{bits})
                  : from == NumberFormat::kF16 ? f16_to_f32(static_cast<std::uint16_t>(bits))
                                               : bf16_to_f32(static_cast<std::uint16_t>(bits));
    if constexpr (to == NumberFormat::kF32) return std::bit_cast<std::uint32_t>(value);
    std::uint16_t rounded = from == NumberFormat::kBf16
                                ? quiet_bf16(static_cast<std::uint16_t>(bits))
                                : f32_to_bf16(value);
    constexpr auto kZero =
        static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(kernels::kBf16Zero) >> 16);
    bool is_zero = to == NumberFormat::kBf16 && (rounded & 0x7fffu) < kZero;
    return is_zero ? std::uint16_t{0} : rounded;
  }
}

template <NumberFormat format>
using Check = std::conditional_t<format == NumberFormat::kF32, F32FiniteCheck, Bf16FiniteCheck>;

// --- a run of weights ---

// `count` weights, `stride` bytes apart, and zeros after them.
template <NumberFormat format, std::size_t kRun>
void load_run(const std::byte* place, std::size_t stride, std::size_t count,
              Bits<format> (&run)[kRun]) {
  if (stride == sizeof(run[0]) && count == kRun) {
    std::memcpy(run, place, sizeof run);
    return;
  }
  std::fill_n(run, kRun, Bits<format>{0});
  for (std::size_t i = 0; i < count; ++i) std::memcpy(&run[i], place + i * stride, sizeof run[i]);
}

// A loop of which the compiler makes vector code.
template <NumberFormat from, NumberFormat to, std::size_t kRun>
void convert(const Bits<from> (&run)[kRun], Bits<to>* out, Check<to>& all) {
  Check<to> check;
  for (std::size_t i = 0; i < kRun; ++i) {
    out[i] = converted<from, to>(run[i]);
    check.add(out[i]);
  }
  all.add(check);
}

// --- a block of weights ---

template <class Element>
struct Lanes {
  static constexpr std::size_t kCount = 16 / sizeof(Element);
  typedef Element Vector __attribute__((vector_size(16)));
};

using Words = Lanes<std::uint32_t>::Vector;
using Halves = Lanes<std::uint16_t>::Vector;

// The lanes of a and b in turn: the first half of that, and the second.
Words low(Words a, Words b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
Words high(Words a, Words b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }
Halves low(Halves a, Halves b) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
Halves high(Halves a, Halves b) {
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

// out[i][j] = in[j][i] of a square of as many rows as a vector has lanes; strides are bytes between
// rows. Interleaving the rows of the upper half with those of the lower one makes the highest bit of an
// element's row the lowest of its column: as often as a row's number has bits, both have changed places.
template <class Element>
void transpose_square(const std::byte* in, std::size_t in_stride, std::byte* out,
                      std::size_t out_stride) {
  constexpr std::size_t kCount = Lanes<Element>::kCount;
  using Vector = typename Lanes<Element>::Vector;
  Vector rows[kCount], next[kCount];
  for (std::size_t i = 0; i < kCount; ++i) {
    std::memcpy(&rows[i], in + i * in_stride, sizeof(Vector));
  }
  for (std::size_t bit = 1; bit < kCount; bit *= 2) {
    for (std::size_t i = 0; i < kCount / 2; ++i) {
      next[2 * i] = low(rows[i], rows[i + kCount / 2]);
      next[2 * i + 1] = high(rows[i], rows[i + kCount / 2]);
    }
    std::memcpy(rows, next, sizeof rows);
  }
  for (std::size_t i = 0; i < kCount; ++i) {
    std::memcpy(out + i * out_stride, &rows[i], sizeof(Vector));
  }
}

// in[kPanelWidth][columns] to out[columns][kPanelWidth].
template <class Element, std::size_t columns>
void transpose(const std::byte* in, std::byte* out) {
  constexpr std::size_t kCount = Lanes<Element>::kCount;
  constexpr std::size_t kIn = columns * sizeof(Element), kOut = kPanelWidth * sizeof(Element);
  for (std::size_t column = 0; column < columns; column += kCount) {
    for (std::size_t row = 0; row < kPanelWidth; row += kCount) {
      transpose_square<Element>(in + row * kIn + column * sizeof(Element), kIn,
                                out + column * kOut + row * sizeof(Element), kOut);
    }
  }
}

// A block's weights to their panel, from where its first input lies on.
template <NumberFormat to>
void put_block(const Bits<to> (&rows)[kPanelWidth][kBlock], Bits<to>* out) {
  // Two inputs of bf16 stand side by side in a panel, as they do in a row.
  using Element = std::conditional_t<to == NumberFormat::kBf16F32, std::uint16_t, std::uint32_t>;
  constexpr std::size_t kColumns = kBlock * sizeof(Bits<to>) / sizeof(Element);
  transpose<Element, kColumns>(reinterpret_cast<const std::byte*>(rows),
                               reinterpret_cast<std::byte*>(out));
}

// --- a matrix ---

struct Matrix {
  const std::byte* data;
  std::size_t row_stride, column_stride;  // bytes
  std::size_t outputs, inputs;

  const std::byte* at(std::size_t n, std::size_t k) const {
    return data + n * row_stride + k * column_stride;
  }
};

// Of a matrix whose outputs' inputs lie side by side: [N, K] in the file.
template <NumberFormat from, NumberFormat to>
bool pack_by_outputs(const Matrix& matrix, Range panels, Bits<to>* out) {
  Check<to> check;
  std::size_t size = float_panel_size(to, matrix.inputs), padded = size / kPanelWidth;
  for (std::size_t panel = panels.begin; panel < panels.end; ++panel) {
    std::size_t first = panel * kPanelWidth;
    std::size_t lanes = std::min(kPanelWidth, matrix.outputs - first);
    for (std::size_t begin = 0; begin < matrix.inputs; begin += kBlock) {
      std::size_t count = std::min(kBlock, matrix.inputs - begin);
      std::size_t room = std::min(kBlock, padded - begin);
      Bits<to> rows[kPanelWidth][kBlock];
      if (lanes < kPanelWidth) std::memset(rows, 0, sizeof rows);
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        Bits<from> run[kBlock];
        load_run<from>(matrix.at(first + lane, begin), matrix.column_stride, count, run);
        convert<from, to>(run, rows[lane], check);
      }
      Bits<to>* place = out + (panel - panels.begin) * size + begin * kPanelWidth;
      if (room == kBlock) {
        put_block<to>(rows, place);
      } else {
        Bits<to> block[kBlock * kPanelWidth];
        put_block<to>(rows, block);
        std::copy_n(block, room * kPanelWidth, place);
      }
    }
  }
  return check.all_finite();
}

// Of a matrix whose inputs' outputs lie side by side: [K, N] in the file. Some inputs of all panels are
// next, not the next ones of a panel, which lie in other pages of the file.
template <NumberFormat from, NumberFormat to>
bool pack_by_inputs(const Matrix& matrix, Range panels, Bits<to>* out) {
  constexpr std::size_t kInputs = 32;                                     // of each panel in turn
  constexpr std::size_t kSideBySide = to == NumberFormat::kBf16 ? 2 : 1;  // inputs in a panel
  Check<to> check;
  std::size_t size = float_panel_size(to, matrix.inputs), padded = size / kPanelWidth;
  for (std::size_t begin = 0; begin < padded; begin += kInputs) {
    std::size_t end = std::min(begin + kInputs, padded);
    for (std::size_t panel = panels.begin; panel < panels.end; ++panel) {
      std::size_t first = panel * kPanelWidth;
      std::size_t lanes = std::min(kPanelWidth, matrix.outputs - first);
      for (std::size_t k = begin; k < end; k += kSideBySide) {
        Bits<to> rows[kSideBySide][kPanelWidth] = {};
        for (std::size_t i = 0; i < kSideBySide && k + i < matrix.inputs; ++i) {
          Bits<from> run[kPanelWidth];
          load_run<from>(matrix.at(first, k + i), matrix.row_stride, lanes, run);
          convert<from, to>(run, rows[i], check);
        }
        Bits<to>* place = out + (panel - panels.begin) * size + k * kPanelWidth;
        for (std::size_t lane = 0; lane < kPanelWidth; ++lane) {
          for (std::size_t i = 0; i < kSideBySide; ++i) {
            place[lane * kSideBySide + i] = rows[i][lane];
          }
        }
      }
    }
  }
  return check.all_finite();
}

template <NumberFormat from, NumberFormat to>
bool pack(const Matrix& matrix, Range panels, void* out) {
  auto* place = static_cast<Bits<to>*>(out);
  return matrix.row_stride < matrix.column_stride
             ? pack_by_inputs<from, to>(matrix, panels, place)
             : pack_by_outputs<from, to>(matrix, panels, place);
}

template <NumberFormat from>
bool pack_from(const Matrix& matrix, Range panels, NumberFormat type, void* out) {
  switch (type) {
    case NumberFormat::kF32:
      return pack<from, NumberFormat::kF32>(matrix, panels, out);
    case NumberFormat::kBf16F32:
      return pack<from, NumberFormat::kBf16F32>(matrix, panels, out);
    default:
      assert(type == NumberFormat::kBf16);
      return pack<from, NumberFormat::kBf16>(matrix, panels, out);
  }
}

}  // namespace

std::size_t float_panel_size(NumberFormat type, std::size_t inputs) {
  return type == NumberFormat::kBf16 ? kernels::bf16_panel_size(kernels::group_count(inputs))
                                     : kernels::panel_size(inputs);
}

bool pack_panels(const Tensor& weight, Range panels, NumberFormat type, void* out) {
  std::size_t element = block_bytes(weight.dtype);
  Matrix matrix{.data = weight.data.data(),
                .row_stride = static_cast<std::size_t>(weight.strides[0]) * element,
                .column_stride = static_cast<std::size_t>(weight.strides[1]) * element,
                .outputs = static_cast<std::size_t>(weight.shape[0]),
                .inputs = static_cast<std::size_t>(weight.shape[1])};
  switch (weight.dtype) {
    case NumberFormat::kF32:
      return pack_from<NumberFormat::kF32>(matrix, panels, type, out);
    case NumberFormat::kF16:
      return pack_from<NumberFormat::kF16>(matrix, panels, type, out);
    default:
      assert(weight.dtype == NumberFormat::kBf16);
      return pack_from<NumberFormat::kBf16>(matrix, panels, type, out);
  }
}

}  // namespace chorus::model
