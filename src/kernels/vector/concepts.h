// What the vector kernels are written over, as contracts that the compiler checks: a `Vector` of f32
// lanes (avx2.h, avx512.h) and, for products of integers, an `Integers` of 32-bit lanes (avx2.cpp,
// avx_vnni.cpp, avx512_vnni.cpp). The headers of this folder are included by those files alone,
// after they have defined `Vector` and `Integers` in an anonymous namespace, so that each
// instruction set gets its own copy of everything. There is no STL in it, but for what makes no
// code: a shared inline function could be kept in the wrong set's build.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "kernels/exp.h"
#include "kernels/isa_tables.h"

namespace chorus::kernels {

// kLanes floats in registers. Each operation is IEEE 754's, lane by lane, rounded once.
template <class V>
concept FloatVector = requires(V a, V b, V c, V d, const float* from, float* to, std::size_t lanes,
                               const V (&sums)[16 / V::kLanes]) {
  requires V::kLanes == 8 || V::kLanes == 16;
  { V::load(from) } -> std::same_as<V>;
  { V::load_first(from, lanes) } -> std::same_as<V>;  // `lanes` floats, the rest 0
  { V::widen_bf16(static_cast<const std::uint16_t*>(nullptr)) } -> std::same_as<V>;
  // Of 2 * kLanes numbers of bf16 those at even places, or at odd ones, widened.
  { V::widen_even(static_cast<const std::uint16_t*>(nullptr)) } -> std::same_as<V>;
  { V::widen_odd(static_cast<const std::uint16_t*>(nullptr)) } -> std::same_as<V>;
  { round_to_bf16(a) } -> std::same_as<V>;  // see Bf16Kernels::round
  { V::broadcast(1.0f) } -> std::same_as<V>;
  { V::zero() } -> std::same_as<V>;
  { a.store(to) } -> std::same_as<void>;
  { a.store_first(to, lanes) } -> std::same_as<void>;
  { a.first(lanes) } -> std::same_as<V>;  // the first lanes, the rest 0

  { a + b } -> std::same_as<V>;
  { a - b } -> std::same_as<V>;
  { a* b } -> std::same_as<V>;
  { a / b } -> std::same_as<V>;
  { fma(a, b, c) } -> std::same_as<V>;  // a * b + c
  { max(a, b) } -> std::same_as<V>;     // a > b ? a : b
  { absolute(a) } -> std::same_as<V>;
  { less(a, b, c, d) } -> std::same_as<V>;      // a < b ? c : d
  { not_less(a, b, c, d) } -> std::same_as<V>;  // a >= b ? c : d
  { over(a, b) } -> std::same_as<unsigned>;     // a > b, bit i of lane i
  // a * 2^n, where n has been rounded into the low bits of b: see exp_f32.
  { scale_by_power(a, b) } -> std::same_as<V>;
  { sum16(sums) } -> std::same_as<float>;  // joined by the tree of scalar.cpp
};

// Eight running sums, for PyTorch's order of adding up a vocabulary.
template <class E, class V>
concept EightSums = requires(E sums, V a) {
  { E::zero() } -> std::same_as<E>;
  { add_eights(sums, a) } -> std::same_as<E>;  // a's lanes, eight at a time
  { sums.total() } -> std::same_as<float>;
};

// The steps of the activation quantiser. `S` sums up integers, lane by lane.
template <class V, class S>
concept QuantisingVector = requires(V a, V b, std::int8_t* bytes, S& sum) {
  // The larger magnitude of each lane, as bits, which order as numbers do and NaN above infinity;
  // then the largest of all lanes.
  { larger_magnitude(a, b) } -> std::same_as<V>;
  { largest_bits(a) } -> std::same_as<std::uint32_t>;
  // Rounds to nearest, ties to even; stores as bytes; adds to `sum`.
  { store_rounded(a, bytes, sum) } -> std::same_as<void>;
  { S::zero() } -> std::same_as<S>;
  { sum.total() } -> std::same_as<std::int32_t>;
};

// How a group's two sums are added up, kInputs inputs at a time (2 or 4), for kLanes outputs.
template <class P, class V>
concept PairProducts = requires(V sum, const std::uint16_t* weights, const std::byte* x) {
  requires P::kInputs == 2 || P::kInputs == 4;
  requires P::kGroupBytes >
  0;  // of what Bf16Kernels::round makes of a row
  // Whether what even() and odd() make is worth keeping: then store() and load() are there for it.
  { P::kMakesPairs } -> std::convertible_to<bool>;
  // The weights of the even inputs, and of the odd ones.
  { P::even(weights) } -> std::same_as<typename P::Weights>;
  { P::odd(weights) } -> std::same_as<typename P::Weights>;
  // A row's even inputs (0) or odd ones (1), to every lane.
  { P::add(sum, P::activation(x, 0), P::even(weights)) } -> std::same_as<V>;
};

// kLanes sums of 32 bits, each of four products of a weight and an activation, as Int8 and Int4 of
// integer_matmul.h add them up.
template <class I, class V>
concept IntegerVector = requires(I sums, I x, const std::uint8_t* weights, const std::int8_t* four,
                                 std::int32_t value) {
  requires I::kLanes == V::kLanes;
  { I::broadcast(value) } -> std::same_as<I>;
  { I::four_bytes(four) } -> std::same_as<I>;   // four activations, to every lane
  { I::int8_start(value) } -> std::same_as<I>;  // from an activation group's `start`
  // 4 * kLanes bytes of weights. Those of int8 may be prepared in any way.
  { sums.add_int8(I::load_int8(weights), x) } -> std::same_as<I>;
  { sums.add_unsigned(I::low_nibbles(I::load_int4(weights)), x) } -> std::same_as<I>;
  { sums.add_unsigned(I::high_nibbles(I::load_int4(weights)), x) } -> std::same_as<I>;
  { sums.to_float() } -> std::same_as<V>;
};

}  // namespace chorus::kernels
