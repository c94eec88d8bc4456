// Whether numbers are finite, by their bits and without a branch, so that the compiler makes vector code of a
// loop. Pure.
#pragma once

#include <cstdint>

namespace chorus {

// Of numbers of one format. An exponent of all ones is an infinity or a NaN: adding
// its lowest bit then carries into the sign.
template <class Bits, Bits exponent_mask, Bits exponent_one>
class FiniteCheck {
 public:
  void add(Bits number) { join(static_cast<Bits>((number & exponent_mask) + exponent_one)); }
  void add(FiniteCheck other) { join(other.seen_); }
  bool all_finite() const { return (seen_ & kSign) == 0; }

 private:
  static constexpr Bits kSign = static_cast<Bits>(Bits{1} << (sizeof(Bits) * 8 - 1));
  void join(Bits bits) { seen_ = static_cast<Bits>(seen_ | bits); }

  Bits seen_ = 0;
};

using F32FiniteCheck = FiniteCheck<std::uint32_t, 0x7f800000u, 0x00800000u>;
using F16FiniteCheck = FiniteCheck<std::uint16_t, 0x7c00u, 0x0400u>;
using Bf16FiniteCheck = FiniteCheck<std::uint16_t, 0x7f80u, 0x0080u>;

}  // namespace chorus
