// The matrix kernels at the shapes of GPT-2 124M, on one thread, for each instruction set that this
// processor has. Google Benchmark: --benchmark_filter=avx512/f32 and the like choose among them.
//
// GB/s counts the weights alone, read once a call. "memory" walks over enough matrices that none is
// still in a cache, as a step over all layers does; divide by what bench_limits prints.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <string>

#include "core/aligned_buffer.h"
#include "kernels/amx.h"
#include "kernels/kernels.h"

namespace chorus {
namespace {

using kernels::kPanelWidth;

struct Shape {
  std::size_t inputs, outputs;
};
constexpr Shape kShapes[] = {{768, 3072}, {3072, 768}, {768, 50304}};
constexpr std::size_t kRows[] = {1, 4, 8, 12, 14, 32, 64, 512};
constexpr std::size_t kWalk = std::size_t{768} << 20;  // bytes of weights walked over

template <class Weight>
constexpr Weight kSmall = {};
template <>
constexpr float kSmall<float> = 0.01f;
template <>
constexpr std::uint16_t kSmall<std::uint16_t> = 0x3c24;  // 0.01 as bf16

template <class Weight>
AlignedBuffer<Weight> filled(std::size_t count) {
  AlignedBuffer<Weight> values(count);
  for (Weight& value : values.span()) value = kSmall<Weight>;
  return values;
}

// One buffer for all the benchmarks of a weight type.
template <class Weight>
const AlignedBuffer<Weight>& walked_weights() {
  static const AlignedBuffer<Weight> weights = filled<Weight>(kWalk / sizeof(Weight));
  return weights;
}

// Of products with `count` weights.
void set_rates(benchmark::State& state, std::size_t count, std::size_t rows,
               std::size_t weight_bytes) {
  using benchmark::Counter;
  auto weights = static_cast<double>(count);
  state.counters["GFLOP/s"] =
      Counter(2e-9 * weights * static_cast<double>(rows), Counter::kIsIterationInvariantRate);
  state.counters["GB/s"] = Counter(1e-9 * weights * static_cast<double>(weight_bytes),
                                   Counter::kIsIterationInvariantRate);
}

template <class Weight>
void multiply(benchmark::State& state, void (*matmul)(const kernels::MatmulArgs&), Shape shape,
              std::size_t rows) {
  const AlignedBuffer<Weight>& weights = walked_weights<Weight>();
  std::size_t matrix = shape.inputs * shape.outputs;
  std::size_t matrices = weights.size() / matrix;
  AlignedBuffer<float> x = filled<float>(rows * shape.inputs);
  AlignedBuffer<float> out(rows * shape.outputs);
  std::size_t next = 0;
  for (auto _ : state) {
    matmul({.x = x.data(),
            .x_stride = shape.inputs,
            .rows = rows,
            .k = shape.inputs,
            .weights = weights.data() + next * matrix,
            .panel_stride = shape.inputs * kPanelWidth,
            .panels = shape.outputs / kPanelWidth,
            .bias = nullptr,
            .accumulate = false,
            .out = out.data(),
            .out_stride = shape.outputs});
    benchmark::ClobberMemory();
    next = (next + 1) % matrices;
  }
  set_rates(state, matrix, rows, sizeof(Weight));
}

// In bf16's own arithmetic, of rows that were rounded before.
void multiply_bf16(benchmark::State& state, const kernels::Bf16Kernels& bf16, Shape shape,
                   std::size_t rows) {
  const AlignedBuffer<std::uint16_t>& weights = walked_weights<std::uint16_t>();
  std::size_t groups = shape.inputs / kernels::kGroup, row_bytes = bf16.row_bytes(groups);
  std::size_t matrix = shape.inputs * shape.outputs;
  std::size_t matrices = weights.size() / matrix;
  AlignedBuffer<float> values = filled<float>(shape.inputs);
  AlignedBuffer<std::byte> x(rows * row_bytes);
  for (std::size_t r = 0; r < rows; ++r) {
    bf16.round(values.data(), shape.inputs, x.data() + r * row_bytes);
  }
  AlignedBuffer<float> out(rows * shape.outputs);
  std::size_t next = 0;
  for (auto _ : state) {
    bf16.matmul({.x = x.data(),
                 .x_stride = row_bytes,
                 .rows = rows,
                 .groups = groups,
                 .weights = weights.data() + next * matrix,
                 .panels = shape.outputs / kPanelWidth,
                 .bias = nullptr,
                 .out = out.data(),
                 .out_stride = shape.outputs});
    benchmark::ClobberMemory();
    next = (next + 1) % matrices;
  }
  set_rates(state, matrix, rows, sizeof(std::uint16_t));
}

struct IntegerFormat {
  const char* name;
  void (*kernels::MatmulKernels::*matmul)(const kernels::IntegerMatmulArgs&);
  std::size_t group_bytes;
};
constexpr IntegerFormat kIntegerFormats[] = {
    {"int8", &kernels::MatmulKernels::int8, kernels::kInt8GroupBytes},
    {"int4", &kernels::MatmulKernels::int4, kernels::kInt4GroupBytes}};

// Rows of activations that were quantised before: `quantise` is measured on its own.
void multiply_integers(benchmark::State& state, const kernels::Kernels& table,
                       const IntegerFormat& format, Shape shape, std::size_t rows) {
  const AlignedBuffer<float>& memory =
      walked_weights<float>();  // what the bytes are does not matter
  std::size_t groups = shape.inputs / kernels::kGroup;
  std::size_t panels = shape.outputs / kPanelWidth;
  std::size_t weight_bytes = panels * groups * format.group_bytes;
  std::size_t scale_bytes = panels * groups * kPanelWidth * 2;
  std::size_t matrices = memory.size() * sizeof(float) / (weight_bytes + scale_bytes);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(memory.data());
  AlignedBuffer<kernels::ActivationGroup> x(rows * groups);
  AlignedBuffer<float> out(rows * shape.outputs);
  std::size_t next = 0;
  for (auto _ : state) {
    const std::uint8_t* weights = bytes + next * (weight_bytes + scale_bytes);
    (table.matmul.*
     format.matmul)({.x = x.data(),
                     .rows = rows,
                     .groups = groups,
                     .weights = weights,
                     .scales = reinterpret_cast<const std::uint16_t*>(weights + weight_bytes),
                     .panels = panels,
                     .bias = nullptr,
                     .row_factor = nullptr,
                     .out = out.data(),
                     .out_stride = shape.outputs});
    benchmark::ClobberMemory();
    next = (next + 1) % matrices;
  }
  using benchmark::Counter;
  auto operations = static_cast<double>(2 * shape.inputs * shape.outputs * rows);
  state.counters["GOP/s"] = Counter(1e-9 * operations, Counter::kIsIterationInvariantRate);
  state.counters["GB/s"] = Counter(1e-9 * static_cast<double>(weight_bytes + scale_bytes),
                                   Counter::kIsIterationInvariantRate);
}

void quantise(benchmark::State& state, const kernels::Kernels& table) {
  constexpr std::size_t kInputs = 3072;
  AlignedBuffer<float> x = filled<float>(kInputs);
  AlignedBuffer<kernels::ActivationGroup> groups(kInputs / kernels::kGroup);
  for (auto _ : state) {
    table.matmul.quantise(x.data(), kInputs, kernels::kInt8Offset, groups.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kInputs * sizeof(float)));
}

// One for each shape and number of rows, called PREFIX/K:../N:../rows:..
template <class Run>
void register_shapes(const std::string& prefix, Run run) {
  for (Shape shape : kShapes) {
    for (std::size_t rows : kRows) {
      if (prefix.starts_with("scalar") && rows > 12) continue;  // slow, and says nothing new
      std::string name =
          fmt::format("{}/K:{}/N:{}/rows:{}", prefix, shape.inputs, shape.outputs, rows);
      benchmark::RegisterBenchmark(
          name.c_str(), [run, shape, rows](benchmark::State& state) { run(state, shape, rows); });
    }
  }
}

void register_integers(const kernels::Kernels& table, const char* extension) {
  std::string prefix = fmt::format("{}{}/", table.name, extension);
  benchmark::RegisterBenchmark((prefix + "quantise").c_str(),
                               [&table](benchmark::State& state) { quantise(state, table); });
  for (const IntegerFormat& format : kIntegerFormats) {
    register_shapes(prefix + format.name,
                    [&table, &format](benchmark::State& state, Shape shape, std::size_t rows) {
                      multiply_integers(state, table, format, shape, rows);
                    });
  }
}

template <class Weight>
void register_floats(const std::string& name, void (*matmul)(const kernels::MatmulArgs&)) {
  register_shapes(name, [matmul](benchmark::State& state, Shape shape, std::size_t rows) {
    multiply<Weight>(state, matmul, shape, rows);
  });
}

void register_bf16(const std::string& name, const kernels::Bf16Kernels& bf16) {
  register_shapes(name, [&bf16](benchmark::State& state, Shape shape, std::size_t rows) {
    multiply_bf16(state, bf16, shape, rows);
  });
}

void register_all() {
  for (kernels::Isa isa : {kernels::Isa::kAvx512, kernels::Isa::kAvx2, kernels::Isa::kScalar}) {
    if (!kernels::is_supported(isa)) continue;
    const kernels::Kernels& table = kernels::kernels_for(isa);
    std::string name = table.name;
    register_integers(kernels::kernels_for(isa, false), "");
    if (kernels::has_vnni(isa)) register_integers(kernels::kernels_for(isa, true), "_vnni");
    register_floats<float>(name + "/f32", table.matmul.f32);
    register_floats<std::uint16_t>(name + "/bf16-f32", table.matmul.bf16_f32);
    register_bf16(name + "/bf16", kernels::bf16_kernels_for(isa, false));
    if (kernels::has_bf16_pairs(isa)) {
      register_bf16(name + "_pairs/bf16", kernels::bf16_kernels_for(isa, true));
    }
    if (isa != kernels::Isa::kAvx512) continue;
    if (kernels::amx().int8) register_integers(kernels::kernels_with_amx(), "_amx");
    if (kernels::amx().bf16) {
      register_bf16(name + "_amx/bf16", kernels::kernels_with_amx().matmul.bf16);
    }
  }
}

}  // namespace
}  // namespace chorus

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  chorus::register_all();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
