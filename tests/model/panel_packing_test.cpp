// Packing, bit for bit against a plain definition of each weight of a panel: every kind of number, from
// every element type to every type of panel, in any order, place and alignment in the file. One code
// packs for every instruction set.

#include "model/panel_packing.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "core/half.h"
#include "kernels/bf16.h"
#include "kernels/panels.h"

namespace chorus::model {
namespace {

using checkpoint::Tensor;
using kernels::kPanelWidth;

constexpr NumberFormat kFileFormats[] = {NumberFormat::kF32, NumberFormat::kF16,
                                         NumberFormat::kBf16};
constexpr NumberFormat kPanelFormats[] = {NumberFormat::kF32, NumberFormat::kBf16F32,
                                          NumberFormat::kBf16};

std::size_t bytes_of(NumberFormat format) { return format == NumberFormat::kF32 ? 4 : 2; }

// The bits of a weight in a panel.
std::uint32_t defined(NumberFormat from, std::uint32_t bits, NumberFormat to) {
  auto half = static_cast<std::uint16_t>(bits);
  if (from == NumberFormat::kF32 && to == NumberFormat::kF32) return bits;
  float value = from == NumberFormat::kF32   ? std::bit_cast<float>(bits)
                : from == NumberFormat::kF16 ? f16_to_f32(half)
                                             : bf16_to_f32(half);
  if (to == NumberFormat::kF32) return std::bit_cast<std::uint32_t>(value);
  std::uint16_t rounded = f32_to_bf16(value);
  if (to == NumberFormat::kBf16 && std::fabs(bf16_to_f32(rounded)) < kernels::kBf16Zero) return 0;
  return rounded;
}

bool is_finite(NumberFormat to, std::uint32_t bits) {
  return std::isfinite(to == NumberFormat::kF32 ? std::bit_cast<float>(bits)
                                                : bf16_to_f32(static_cast<std::uint16_t>(bits)));
}

struct Layout {
  const char* name;
  std::size_t row_stride, column_stride;  // elements
};

// A matrix at an odd address; `number` gives the bits of each element in the order of memory.
class PackedBy {
 public:
  template <class Number>
  PackedBy(NumberFormat format, std::size_t outputs, std::size_t inputs, Layout layout,
           Number number)
      : format_(format), outputs_(outputs), inputs_(inputs), layout_(layout) {
    std::size_t elements =
        (outputs - 1) * layout.row_stride + (inputs - 1) * layout.column_stride + 1;
    bytes_.resize(elements * bytes_of(format) + 1);
    for (std::size_t i = 0; i < elements; ++i) {
      auto bits = static_cast<std::uint32_t>(number(i));
      std::memcpy(bytes_.data() + 1 + i * bytes_of(format), &bits, bytes_of(format));
    }
  }

  std::uint32_t bits(std::size_t n, std::size_t k) const {
    std::size_t element = n * layout_.row_stride + k * layout_.column_stride;
    std::uint32_t bits = 0;
    std::memcpy(&bits, bytes_.data() + 1 + element * bytes_of(format_), bytes_of(format_));
    return bits;
  }

  // In two calls, to memory that was not zero.
  void expect_as_defined(NumberFormat to) const {
    std::size_t panels = kernels::panel_count(outputs_), size = float_panel_size(to, inputs_);
    std::vector<std::byte> out(panels * size * bytes_of(to), std::byte{0xa5});
    Tensor weight{format_,
                  {static_cast<std::int64_t>(outputs_), static_cast<std::int64_t>(inputs_)},
                  {static_cast<std::int64_t>(layout_.row_stride),
                   static_cast<std::int64_t>(layout_.column_stride)},
                  std::span(bytes_).subspan(1)};
    Range parts[] = {{0, panels / 2}, {panels / 2, panels}};
    for (Range part : parts) {
      bool finite = true;
      bool found_finite =
          pack_panels(weight, part, to, out.data() + part.begin * size * bytes_of(to));
      for (std::size_t n = part.begin * kPanelWidth; n < part.end * kPanelWidth; ++n) {
        for (std::size_t k = 0; k < size / kPanelWidth; ++k) {
          bool is_padding = n >= outputs_ || k >= inputs_;
          std::uint32_t expected = is_padding ? 0 : defined(format_, bits(n, k), to), found = 0;
          std::size_t place = to == NumberFormat::kBf16 ? kernels::bf16_place(k, n % kPanelWidth)
                                                        : kernels::panel_place(k, n % kPanelWidth);
          std::memcpy(&found, out.data() + (n / kPanelWidth * size + place) * bytes_of(to),
                      bytes_of(to));
          ASSERT_EQ(found, expected) << what(to) << ": output " << n << ", input " << k << std::hex
                                     << (is_padding ? 0 : bits(n, k));
          finite = finite && is_finite(to, expected);
        }
      }
      ASSERT_EQ(found_finite, finite) << what(to);
    }
  }

 private:
  std::string what(NumberFormat to) const {
    return std::string(number_format_name(format_)) + " to " + number_format_name(to) + ", [" +
           std::to_string(outputs_) + ", " + std::to_string(inputs_) + "] " + layout_.name;
  }

  NumberFormat format_;
  std::size_t outputs_, inputs_;
  Layout layout_;
  std::vector<std::byte> bytes_;
};

void expect_in_all_layouts(NumberFormat from, std::size_t outputs, std::size_t inputs,
                           auto number) {
  const Layout layouts[] = {{"by outputs", inputs, 1},
                            {"by inputs", 1, outputs},
                            {"by outputs with gaps", inputs + 3, 1},
                            {"by inputs with gaps", 1, outputs + 3},
                            {"every other, by outputs", 2 * inputs, 2},
                            {"every other, by inputs", 2, 2 * outputs}};
  for (const Layout& layout : layouts) {
    PackedBy matrix(from, outputs, inputs, layout, number);
    for (NumberFormat to : kPanelFormats) {
      matrix.expect_as_defined(to);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TEST(PanelPacking, EveryShapeHasEveryWeightInItsPlaceAndZerosAround) {
  std::mt19937 generator(13);
  for (NumberFormat from : kFileFormats) {
    for (std::size_t outputs : {1u, 2u, 31u, 32u, 33u, 63u, 64u, 70u, 129u}) {
      for (std::size_t inputs : {1u, 2u, 7u, 31u, 32u, 33u, 63u, 64u, 65u, 96u, 127u, 130u}) {
        // Finite: of f16 and bf16 with an exponent under the largest; 2^-63 to 2^64 of f32.
        auto number = [&](std::size_t) {
          auto bits = static_cast<std::uint32_t>(generator());
          return from == NumberFormat::kF32 ? (bits & 0xbfffffffu) + 0x20000000u : bits & 0xbbffu;
        };
        expect_in_all_layouts(from, outputs, inputs, number);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(PanelPacking, EveryNumberOf16BitsBecomesWhatIsDefined) {
  for (NumberFormat from : {NumberFormat::kF16, NumberFormat::kBf16}) {
    // "Every other" element is of either half of them.
    expect_in_all_layouts(from, 256, 257, [](std::size_t i) { return (i + i / 65536) & 0xffffu; });
    if (HasFatalFailure()) return;
  }
}

TEST(PanelPacking, NumbersOf32BitsBecomeWhatIsDefined) {
  // Every upper half with lower halves at which rounding decides: ties, and beside them; and NaN whose
  // payload lies in the lower half alone.
  const std::uint32_t lower[] = {0x0000, 0x0001, 0x7fff, 0x8000, 0x8001, 0xffff};
  auto number = [&lower](std::size_t i) {
    return static_cast<std::uint32_t>(i / 6) << 16 | lower[i % 6];
  };
  PackedBy matrix(NumberFormat::kF32, 6 * 256, 256, {"by outputs", 256, 1}, number);
  for (NumberFormat to : kPanelFormats) {
    matrix.expect_as_defined(to);
    if (HasFatalFailure()) return;
  }
}

TEST(PanelPacking, OneThatIsNotFiniteIsSeenWhereverItStands) {
  for (NumberFormat from : kFileFormats) {
    std::uint32_t infinity = from == NumberFormat::kF32   ? 0xff800000u
                             : from == NumberFormat::kF16 ? 0xfc00u
                                                          : 0xff80u;
    for (std::size_t place : {0u, 1u, 63u, 64u, 66u, 33u * 67u - 1u}) {
      expect_in_all_layouts(from, 33, 67,
                            [&](std::size_t i) { return i == place ? infinity : 0u; });
      if (HasFatalFailure()) return;
    }
  }
  // What rounding makes infinite is, in the panel.
  PackedBy large(NumberFormat::kF32, 1, 1, {"alone", 1, 1},
                 [](std::size_t) { return 0x7f7fffffu; });
  for (NumberFormat to : kPanelFormats) large.expect_as_defined(to);
}

}  // namespace
}  // namespace chorus::model
