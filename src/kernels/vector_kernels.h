// Every kernel once more, over vectors: included by avx2.cpp and avx512.cpp alone, after they have
// defined `Vector` in their anonymous namespace, so that each instruction set gets its own copies.
// No STL here: a shared inline function could be kept in the wrong set's build. Each kernel makes
// the operations of scalar.cpp in the same order, element by element.
//
// Vector offers: kLanes, load, load_first (n lanes, the rest 0), store, store_first, broadcast,
// zero, widen_bf16, fma, +, -, *, /, max, less (a < b ? x : y), over, scale_by_power, the sums
// sum16, sum8 and add_eights, and the quantiser's steps.

namespace chorus::kernels {
namespace {

constexpr std::size_t kLanes = Vector::kLanes;
constexpr std::size_t kPanelVectors = kPanelWidth / kLanes;
constexpr std::size_t kSums = 16;  // interleaved partial sums
constexpr std::size_t kSumVectors = kSums / kLanes;

// --- matmul ---

template <class Weight>
inline Vector load_weights(const Weight* weights);
template <>
inline Vector load_weights(const float* weights) {
  return Vector::load(weights);
}
template <>
inline Vector load_weights(const std::uint16_t* weights) {
  return Vector::widen_bf16(weights);
}

constexpr std::size_t kCacheLine = 64;

// How far ahead of its use a panel is fetched. The processor's own prefetcher begins anew at every
// page and has not caught up when many rows keep the registers busy; with one row of f32, which
// does nothing but read, it needs less help. Measured: bench/kernels_bench.cpp.
template <class Weight>
constexpr std::size_t prefetch_bytes(std::size_t rows) {
  return rows == 1 && sizeof(Weight) == 4 ? 512 : rows < 8 ? 2048 : 8192;
}

template <class Weight>
inline const Weight* panel_at(const MatmulArgs& args, std::size_t panel) {
  if (args.panel_table != nullptr) {
    return reinterpret_cast<const Weight*>(args.panel_table[panel] + args.panel_offset);
  }
  return static_cast<const Weight*>(args.weights) + panel * args.panel_stride;
}

// A tile: kRows rows by kVectors vectors of outputs, whose sums stay in registers for all of k. Its
// first output is vector `first` of panel `panel`.
template <class Weight, std::size_t kRows, std::size_t kVectors>
void matmul_tile(const MatmulArgs& args, std::size_t row, std::size_t panel, std::size_t first) {
  constexpr std::size_t kTilePanels = (kVectors + kPanelVectors - 1) / kPanelVectors;
  const Weight* weights[kTilePanels];
  for (std::size_t p = 0; p < kTilePanels; ++p) {
    weights[p] = panel_at<Weight>(args, panel + p) + first * kLanes;
  }
  const float* x = args.x + row * args.x_stride;
  std::size_t output = panel * kPanelWidth + first * kLanes;
  float* out = args.out + row * args.out_stride + output;

  Vector sums[kRows][kVectors];
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      if (args.accumulate) {
        sums[r][v] = Vector::load(out + r * args.out_stride + v * kLanes);
      } else if (args.bias != nullptr) {
        sums[r][v] = Vector::load(args.bias + output + v * kLanes);
      } else {
        sums[r][v] = Vector::zero();
      }
    }
  }
  for (std::size_t k = 0; k < args.k; ++k) {
    Vector w[kVectors];
#pragma GCC unroll 8
    for (std::size_t v = 0; v < kVectors; ++v) {
      const Weight* at =
          weights[v / kPanelVectors] + k * kPanelWidth + (v % kPanelVectors) * kLanes;
      w[v] = load_weights(at);
      // Near a panel's end this is the next panel, or memory that is not ours, which does no harm.
      if (v * kLanes * sizeof(Weight) % kCacheLine == 0) {
        __builtin_prefetch(reinterpret_cast<const char*>(at) + prefetch_bytes<Weight>(kRows));
      }
    }
#pragma GCC unroll 12
    for (std::size_t r = 0; r < kRows; ++r) {
      Vector value = Vector::broadcast(x[r * args.x_stride + k]);
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) sums[r][v] = fma(value, w[v], sums[r][v]);
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      sums[r][v].store(out + r * args.out_stride + v * kLanes);
    }
  }
}

// The width of a tile of `rows` rows: as many sums as the registers hold, with room for weights.
constexpr std::size_t tile_vectors(std::size_t rows) {
  if (kLanes == 16) return rows <= 3 ? 8 : rows <= 6 ? 4 : 2;  // 32 registers
  return rows == 1 ? 8 : rows <= 3 ? 4 : 2;                    // 16 registers
}
constexpr std::size_t kMaxTileRows = kLanes == 16 ? 12 : 6;

template <class Weight, std::size_t kRows>
void matmul_rows(const MatmulArgs& args, std::size_t row, std::size_t panel, std::size_t panels) {
  constexpr std::size_t kVectors = tile_vectors(kRows);
  constexpr std::size_t kTilePanels = kVectors / kPanelVectors;
  if constexpr (kTilePanels > 1) {
    while (panels >= kTilePanels) {
      matmul_tile<Weight, kRows, kVectors>(args, row, panel, 0);
      panel += kTilePanels;
      panels -= kTilePanels;
    }
  }
  constexpr std::size_t kStep = kVectors < kPanelVectors ? kVectors : kPanelVectors;
  for (; panels > 0; ++panel, --panels) {
    for (std::size_t first = 0; first < kPanelVectors; first += kStep) {
      matmul_tile<Weight, kRows, kStep>(args, row, panel, first);
    }
  }
}

template <class Weight>
void matmul_some_rows(const MatmulArgs& args, std::size_t row, std::size_t rows, std::size_t panel,
                      std::size_t panels) {
  switch (rows) {
    case 1:
      return matmul_rows<Weight, 1>(args, row, panel, panels);
    case 2:
      return matmul_rows<Weight, 2>(args, row, panel, panels);
    case 3:
      return matmul_rows<Weight, 3>(args, row, panel, panels);
    case 4:
      return matmul_rows<Weight, 4>(args, row, panel, panels);
    case 5:
      return matmul_rows<Weight, 5>(args, row, panel, panels);
    case 6:
      return matmul_rows<Weight, 6>(args, row, panel, panels);
    default:
      break;
  }
  if constexpr (kMaxTileRows > 6) {
    switch (rows) {
      case 7:
        return matmul_rows<Weight, 7>(args, row, panel, panels);
      case 8:
        return matmul_rows<Weight, 8>(args, row, panel, panels);
      case 9:
        return matmul_rows<Weight, 9>(args, row, panel, panels);
      case 10:
        return matmul_rows<Weight, 10>(args, row, panel, panels);
      case 11:
        return matmul_rows<Weight, 11>(args, row, panel, panels);
      default:
        return matmul_rows<Weight, 12>(args, row, panel, panels);
    }
  }
}

// Panels outside, tiles of rows inside: a panel is read from memory once and stays in the cache for
// all the rows. Rows are dealt to tiles evenly.
template <class Weight>
void matmul_chunk(const MatmulArgs& args) {
  std::size_t tiles = (args.rows + kMaxTileRows - 1) / kMaxTileRows;
  std::size_t group = tiles == 1 ? args.panels : 4;
  for (std::size_t panel = 0; panel < args.panels; panel += group) {
    std::size_t panels = args.panels - panel < group ? args.panels - panel : group;
    for (std::size_t tile = 0; tile < tiles; ++tile) {
      std::size_t begin = args.rows * tile / tiles;
      std::size_t end = args.rows * (tile + 1) / tiles;
      matmul_some_rows<Weight>(args, begin, end - begin, panel, panels);
    }
  }
}

// More rows than a tile's go through K in chunks, so that x and the panels stay in the caches.
template <class Weight>
void matmul(const MatmulArgs& args) {
  constexpr std::size_t kChunk = 768;
  if (args.rows == 0) return;
  if (args.rows <= kMaxTileRows || args.k <= kChunk) return matmul_chunk<Weight>(args);
  MatmulArgs chunk = args;
  for (std::size_t k = 0; k < args.k; k += kChunk) {
    chunk.k = args.k - k < kChunk ? args.k - k : kChunk;
    matmul_chunk<Weight>(chunk);
    chunk.x += kChunk;
    if (chunk.panel_table != nullptr) {
      chunk.panel_offset += kChunk * kPanelWidth * sizeof(Weight);
    } else {
      chunk.weights = static_cast<const Weight*>(chunk.weights) + kChunk * kPanelWidth;
    }
    chunk.accumulate = true;
  }
}

// --- functions of one element ---

inline Vector exp_vector(Vector x) {
  Vector shifted = fma(x, Vector::broadcast(kLog2E), Vector::broadcast(kRoundToInteger));
  Vector n = shifted - Vector::broadcast(kRoundToInteger);
  Vector r = fma(n, Vector::broadcast(-kLn2High), x);
  r = fma(n, Vector::broadcast(-kLn2Low), r);
  Vector q = Vector::broadcast(kExpPolynomial[4]);
  for (int i = 3; i >= 0; --i) q = fma(q, r, Vector::broadcast(kExpPolynomial[i]));
  Vector p = fma(q, r * r, r) + Vector::broadcast(1.0f);
  Vector result = scale_by_power(p, shifted);
  result = less(x, Vector::broadcast(kExpLow), Vector::zero(), result);
  return less(Vector::broadcast(kExpHigh), x, Vector::broadcast(__builtin_inff()), result);
}

inline Vector gelu_tanh_vector(Vector x) {
  Vector minus_two_u =
      x * fma(Vector::broadcast(kGeluCubic), x * x, Vector::broadcast(kGeluLinear));
  return x / (Vector::broadcast(1.0f) + exp_vector(minus_two_u));
}

inline Vector gelu_erf_vector(Vector x) {
  Vector zero = Vector::zero();
  Vector half = Vector::broadcast(0.5f);
  Vector z = absolute(x) * Vector::broadcast(kSqrtHalf);

  Vector z2 = z * z;
  Vector p = Vector::broadcast(kErfPolynomial[7]);
  for (int i = 6; i >= 0; --i) p = fma(p, z2, Vector::broadcast(kErfPolynomial[i]));
  Vector small = fma(Vector::broadcast(-0.5f) * z, p, half);

  Vector q = Vector::broadcast(kLogErfcPolynomial[9]);
  for (int i = 8; i >= 0; --i) q = fma(q, z, Vector::broadcast(kLogErfcPolynomial[i]));
  Vector large = half * exp_vector(q);

  // z for NaN, which no comparison holds for; 0 from kErfcZeroFrom on.
  Vector four = Vector::broadcast(kErfcZeroFrom);
  Vector rest = not_less(z, four, zero, z);
  Vector half_erfc = less(z, Vector::broadcast(1.0f), small, less(z, four, large, rest));
  return x * less(zero, x, Vector::broadcast(1.0f) - half_erfc, half_erfc);
}

inline Vector relu_vector(Vector x) { return less(x, Vector::zero(), Vector::zero(), x); }

template <Vector function(Vector)>
void map(float* x, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) function(Vector::load(x + i)).store(x + i);
  if (i < n) function(Vector::load_first(x + i, n - i)).store_first(x + i, n - i);
}

void add(float* x, const float* y, std::size_t n) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) (Vector::load(x + i) + Vector::load(y + i)).store(x + i);
  for (; i < n; ++i) x[i] += y[i];
}

// --- reductions ---

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

inline Vector load_lanes(const float* x, std::size_t lanes) {
  return lanes == kLanes ? Vector::load(x) : Vector::load_first(x, lanes);
}
inline void store_lanes(Vector value, float* x, std::size_t lanes) {
  if (lanes == kLanes) {
    value.store(x);
  } else {
    value.store_first(x, lanes);
  }
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

void scale_all(float* x, std::size_t n, float factor) {
  Vector factors = Vector::broadcast(factor);
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) (Vector::load(x + i) * factors).store(x + i);
  for (; i < n; ++i) x[i] *= factor;
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
  __m256 sums = _mm256_setzero_ps();
  for (std::size_t i = 0; i < n; i += kLanes) {
    std::size_t lanes = n - i < kLanes ? n - i : kLanes;
    Vector value = exp_vector(load_lanes(x + i, lanes) - largest);
    if (lanes < kLanes) value = value.first(lanes);
    sums = add_eights(sums, value);
    store_lanes(value, out + i, lanes);
  }
  scale_all(out, n, 1.0f / sum8(sums));
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

double sum_exp(const float* x, std::size_t n, float largest) {
  Vector shift = Vector::broadcast(largest);
  double sum = 0.0;
  for (std::size_t begin = 0; begin < n; begin += kSumExpBlock) {
    std::size_t count = n - begin < kSumExpBlock ? n - begin : kSumExpBlock;
    const float* block = x + begin;
    float part = interleaved_sum(count, [block, shift](std::size_t i, std::size_t lanes) {
      Vector value = exp_vector(load_lanes(block + i, lanes) - shift);
      return lanes < kLanes ? value.first(lanes) : value;
    });
    sum += static_cast<double>(part);
  }
  return sum;
}

// --- quantisation of activations ---

// The first `count` values of a group, the rest 0.
inline void quantise_group(const float* x, std::size_t count, std::int32_t offset,
                           ActivationGroup& out) {
  Vector magnitudes = Vector::zero();
  for (std::size_t i = 0; i < count; i += kLanes) {
    std::size_t lanes = count - i < kLanes ? count - i : kLanes;
    magnitudes = larger_magnitude(magnitudes, load_lanes(x + i, lanes));
  }
  std::uint32_t bits = largest_bits(magnitudes);
  float largest;
  __builtin_memcpy(&largest, &bits, sizeof(largest));
  bool finite = largest < __builtin_inff();
  if (!finite || largest < kQuantiseZero) {
    __builtin_memset(out.values, 0, sizeof(out.values));
    out.scale = finite ? 0.0f : __builtin_nanf("");
    out.start = 0;
    return;
  }
  out.scale = largest / 127.0f;
  Vector factor = Vector::broadcast(127.0f / largest);
  IntegerSum total_lanes = no_sum();
  for (std::size_t i = 0; i < kGroup; i += kLanes) {
    std::size_t lanes = i >= count ? 0 : count - i < kLanes ? count - i : kLanes;
    store_rounded(load_lanes(x + i, lanes) * factor, out.values + i, total_lanes);
  }
  out.start = -offset * total(total_lanes);
}

void quantise(const float* x, std::size_t k, std::int32_t offset, ActivationGroup* out) {
  for (std::size_t begin = 0; begin < k; begin += kGroup) {
    quantise_group(x + begin, k - begin < kGroup ? k - begin : kGroup, offset, out[begin / kGroup]);
  }
}

constexpr Kernels table(const char* name, const IntegerKernels& integers) {
  return {
      .name = name,
      .matmul_f32 = matmul<float>,
      .matmul_bf16 = matmul<std::uint16_t>,
      .matmul_int8 = integers.matmul_int8,
      .matmul_int4 = integers.matmul_int4,
      .quantise = quantise,
      .layer_norm = layer_norm,
      .gelu_tanh = map<gelu_tanh_vector>,
      .gelu_erf = map<gelu_erf_vector>,
      .relu = map<relu_vector>,
      .add = add,
      .softmax = softmax,
      .softmax_vocabulary = softmax_vocabulary,
      .find_over = find_over,
      .sum_exp = sum_exp,
      .max = max,
  };
}

}  // namespace
}  // namespace chorus::kernels
