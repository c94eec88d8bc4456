// The arithmetic, on plain pointers: one table of functions for each instruction set. scalar.cpp is
// the definition; the others return exactly its bits (docs/numerics.md says why they can). Kernels
// allocate nothing, lock nothing, and know nothing of threads or requests: the caller splits work
// by rows, panels or elements, and no split changes a bit.
// How matrices lie in memory is said in panels.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "chorus/error.h"
#include "kernels/bf16.h"
#include "kernels/integer.h"

namespace chorus::kernels {

// out[r][n] = start + sum over k, ascending, of x[r][k] * w[n][k], a chain of fused multiply-adds;
// r in [0, rows), n in the outputs of `panels` panels. `start` is out[r][n] itself if `accumulate`,
// else bias[n], else 0 when bias is null. All kPanelWidth outputs of a panel are written.
struct MatmulArgs {
  const float* x;        // [rows][x_stride]
  std::size_t x_stride;  // floats between rows
  std::size_t rows;
  std::size_t k;             // inputs
  const void* weights;       // first panel: [k][32] of f32, or of bf16 bits
  std::size_t panel_stride;  // elements between panels
  // If not null, panel p stands at panel_table[p] + panel_offset bytes instead.
  const std::byte* const* panel_table = nullptr;
  std::size_t panel_offset = 0;
  std::size_t panels;
  const float* bias;  // [panels * 32] or null
  bool accumulate;
  float* out;  // [rows][out_stride]
  std::size_t out_stride;
  // Where what is multiplied by next lies, in bytes from these weights, so that a product of one row
  // fetches it; 0: right behind them.
  std::size_t next_offset = 0;
};

inline constexpr float kQuantiseZero = 0x1p-100f;  // 127 / x is finite from here on

// Products of matrices.
struct MatmulKernels {
  void (*f32)(const MatmulArgs& args);
  // Weights of bf16 widened exactly to f32, then the same chain.
  void (*bf16_f32)(const MatmulArgs& args);

  // In bf16's own arithmetic.
  Bf16Kernels bf16;

  // See IntegerMatmulArgs.
  void (*int8)(const IntegerMatmulArgs& args);
  void (*int4)(const IntegerMatmulArgs& args);
  // One row x[k] into ceil(k / kGroup) groups, to be multiplied by weights stored with `offset`:
  // scale = largest |x| / 127, value = x * (127 / largest |x|) rounded to nearest, ties to even. A
  // group whose largest |x| is under kQuantiseZero is all zeros with scale 0; one that holds a NaN
  // or an infinity has the scale NaN and values 0, so that every output that reads it is NaN.
  void (*quantise)(const float* x, std::size_t k, std::int32_t offset, ActivationGroup* out);
};

struct NormKernels {
  // out[i] = (x[i] - mean) / sqrt(variance + epsilon) * weight[i] + bias[i], i in [0, n); bias may
  // be null. Sums in 16 interleaved partial sums, joined by one fixed tree. `out` may be `x`.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float epsilon,
                     std::size_t n, float* out);
};

// What happens to activations between products, in place over n elements.
struct ActivationKernels {
  void (*gelu_tanh)(float* x, std::size_t n);
  void (*gelu_erf)(float* x, std::size_t n);
  void (*relu)(float* x, std::size_t n);
  // Attention's: x[i] = exp(scale * x[i] - max) / sum; sums as in layer_norm.
  void (*softmax)(float* x, std::size_t n, float scale);
  // The residual's: x[i] += y[i].
  void (*add)(float* x, const float* y, std::size_t n);
};

// From logits to a token.
struct SamplingKernels {
  // PyTorch's softmax over a vocabulary, as its AVX2 build sums it (8 lanes): out[i] = exp(x[i] -
  // max) * (1 / sum). `out` may be `x`.
  void (*softmax)(const float* x, std::size_t n, float* out);

  // The first position in [begin, n) of an element over `threshold`, or n.
  std::size_t (*find_over)(const float* x, std::size_t begin, std::size_t n, float threshold);

  // The sum of exp(x[i] - max): 16 interleaved partial sums over blocks of 1024, blocks joined in
  // double. With max = the largest x, log-softmax is x[i] - max - log(sum).
  double (*sum_exp)(const float* x, std::size_t n, float max);

  // The sum of exp(x[i] - max) * (max - x[i]), summed like sum_exp; 0 for what exp makes 0, such as
  // -inf. With max = the largest x, the entropy of softmax(x) is log(sum_exp) + this / sum_exp.
  double (*sum_exp_gap)(const float* x, std::size_t n, float max);

  // The largest element; n >= 1. If any is NaN, the result is unspecified.
  float (*max)(const float* x, std::size_t n);
};

struct Kernels {
  const char* name;  // "scalar", "avx2" or "avx512"
  // Whether tiles make the products of many rows, see kernels/amx.h: of integers, and of bf16.
  bool amx = false, amx_bf16 = false;
  MatmulKernels matmul;
  NormKernels norm;
  ActivationKernels activation;
  SamplingKernels sampling;
};

enum class Isa { kScalar, kAvx2, kAvx512 };

// Whether this processor (and its operating system) runs `isa`; what each is called.
bool is_supported(Isa isa);
const char* isa_name(Isa isa);

// Whether this processor has instructions for products of bytes beside `isa` (VNNI).
bool has_vnni(Isa isa);

// Whether this processor multiplies pairs of bf16 beside `isa` faster than widened numbers.
bool has_bf16_pairs(Isa isa);
const Bf16Kernels& bf16_kernels_for(Isa isa, bool pairs);  // with pairs, if it has them, or without

const Kernels& kernels_for(Isa isa);             // the best table of `isa`, which must be supported
const Kernels& kernels_for(Isa isa, bool vnni);  // with VNNI, which it must have, or without

// Of avx512 with VNNI and AMX, which must be usable (kernels/amx.h), for bf16 if it has that, too.
const Kernels& kernels_with_amx();

// The best table for this processor, or the one that $CHORUS_ISA names (scalar, avx2 or avx512).
// With avx512 AMX is used where it can be, unless $CHORUS_AMX is 0; if that is 1, AMX must be there.
// Errors: kInvalidArgument for any other value, kUnsupported if the processor lacks it.
Result<const Kernels*> choose_kernels();

// Of what choose_kernels() gave: why it is without AMX, "this processor does not have it"; empty where
// it is not. And a sentence for the user if the processor does have it; else empty.
std::string amx_missing(const Kernels& chosen);
std::string amx_note(const Kernels& chosen);

}  // namespace chorus::kernels
