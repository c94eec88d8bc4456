// What this machine can do at most, to divide measurements by: how fast its processors read memory,
// and how many f32 fused multiply-adds they make. Prints one JSON object. Not a measurement of
// Chorus.
//
// usage: bench_limits [--megabytes N] [--threads N] [--seconds S]
// The buffer is read from end to end, again and again, so one that fits a cache measures the cache.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/thread_team.h"
#include "kernels/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace chorus {
namespace {

struct Settings {
  std::size_t megabytes = 1024;
  std::size_t threads = available_processors();
  double seconds = 1.0;  // for each figure
};

constexpr std::size_t kStreams =
    4;                              // read side by side: one alone may not fill the memory's queues
constexpr std::size_t kBlock = 64;  // floats of a stream in one turn
constexpr std::size_t kChains = 12;  // of multiply-adds, independent: more than latency * 2 ports
constexpr std::size_t kFmaTurns = 20000;
// Chains that began alike would be one chain to the compiler.
constexpr float kStart[kChains] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

// A program for one instruction set: both return something that depends on every operation.
struct Program {
  float (*read)(const float* x, std::size_t count);  // `count` a multiple of kStreams * kBlock
  float (*multiply_add)();                           // kFmaTurns * kChains vectors
  std::size_t lanes;
};

float read_scalar(const float* x, std::size_t count) {
  std::uint32_t sums[16] = {};  // integers: the baseline's compiler may make vector code of them
  std::uint32_t bits[16];
  for (std::size_t i = 0; i < count; i += 16) {
    std::memcpy(bits, x + i, sizeof(bits));
    for (std::size_t j = 0; j < 16; ++j) sums[j] |= bits[j];
  }
  std::uint32_t all = 0;
  for (std::uint32_t sum : sums) all |= sum;
  return static_cast<float>(all);
}

// Without an instruction for it: a multiplication and an addition, four lanes at a time.
float multiply_add_scalar() {
  float sums[kChains][4];
  for (std::size_t i = 0; i < kChains; ++i) {
    for (float& lane : sums[i]) lane = kStart[i];
  }
  for (std::size_t turn = 0; turn < kFmaTurns; ++turn) {
    for (auto& sum : sums) {
      for (float& lane : sum) lane = lane * 0.999f + 0.5f;
    }
  }
  float all = 0.0f;
  for (auto& sum : sums) all += sum[0] + sum[1] + sum[2] + sum[3];
  return all;
}

#if defined(__x86_64__)

__attribute__((target("avx2,fma"))) float read_avx2(const float* x, std::size_t count) {
  __m256i sums[kStreams] = {};
  std::size_t stream = count / kStreams;
  for (std::size_t i = 0; i < stream; i += kBlock) {
    for (std::size_t s = 0; s < kStreams; ++s) {
      for (std::size_t j = 0; j < kBlock; j += 8) {
        auto at = reinterpret_cast<const __m256i*>(x + s * stream + i + j);
        sums[s] = _mm256_or_si256(sums[s], _mm256_load_si256(at));
      }
    }
  }
  __m256i all = sums[0];
  for (std::size_t s = 1; s < kStreams; ++s) all = _mm256_or_si256(all, sums[s]);
  return static_cast<float>(_mm256_extract_epi32(all, 0));
}

__attribute__((target("avx2,fma"))) float multiply_add_avx2() {
  __m256 sums[kChains];
  for (std::size_t i = 0; i < kChains; ++i) sums[i] = _mm256_set1_ps(kStart[i]);
  __m256 factor = _mm256_set1_ps(0.999f), term = _mm256_set1_ps(0.5f);
  for (std::size_t turn = 0; turn < kFmaTurns; ++turn) {
#pragma GCC unroll 12
    for (std::size_t i = 0; i < kChains; ++i) sums[i] = _mm256_fmadd_ps(sums[i], factor, term);
  }
  for (std::size_t i = 1; i < kChains; ++i) sums[0] = _mm256_add_ps(sums[0], sums[i]);
  return _mm256_cvtss_f32(sums[0]);
}

__attribute__((target("avx512f"))) float read_avx512(const float* x, std::size_t count) {
  __m512i sums[kStreams] = {};
  std::size_t stream = count / kStreams;
  for (std::size_t i = 0; i < stream; i += kBlock) {
    for (std::size_t s = 0; s < kStreams; ++s) {
      for (std::size_t j = 0; j < kBlock; j += 16) {
        sums[s] = _mm512_or_si512(sums[s], _mm512_load_si512(x + s * stream + i + j));
      }
    }
  }
  __m512i all = sums[0];
  for (std::size_t s = 1; s < kStreams; ++s) all = _mm512_or_si512(all, sums[s]);
  return static_cast<float>(_mm512_cvtsi512_si32(all));
}

__attribute__((target("avx512f"))) float multiply_add_avx512() {
  __m512 sums[kChains];
  for (std::size_t i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(kStart[i]);
  __m512 factor = _mm512_set1_ps(0.999f), term = _mm512_set1_ps(0.5f);
  for (std::size_t turn = 0; turn < kFmaTurns; ++turn) {
#pragma GCC unroll 12
    for (std::size_t i = 0; i < kChains; ++i) sums[i] = _mm512_fmadd_ps(sums[i], factor, term);
  }
  for (std::size_t i = 1; i < kChains; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return _mm512_cvtss_f32(sums[0]);
}

#endif

Program program_for(std::string_view isa) {
#if defined(__x86_64__)
  if (isa == "avx512") return {read_avx512, multiply_add_avx512, 16};
  if (isa == "avx2") return {read_avx2, multiply_add_avx2, 8};
#endif
  static_cast<void>(isa);
  return {read_scalar, multiply_add_scalar, 4};
}

struct Figures {
  double best, median;
};

// How often a second the whole team does `work`, over the settings' seconds.
template <class Work>
Figures passes_per_second(const Settings& settings, ThreadTeam& team, Work work) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> rates;
  auto pass = [&] {
    auto start = Clock::now();
    team.run([&](ThreadTeam::Member& member) { work(member); });
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  pass();  // warms caches and clocks
  for (double left = settings.seconds; left > 0.0 || rates.size() < 5;) {
    double seconds = pass();
    rates.push_back(1.0 / seconds);
    left -= seconds;
  }
  std::sort(rates.begin(), rates.end());
  return {rates.back(), rates[rates.size() / 2]};
}

std::string measure(const Settings& settings, const Program& program,
                    const AlignedBuffer<float>& buffer, std::size_t threads) {
  ThreadTeam team(threads);
  std::vector<float> results(threads * 16);  // a cache line each
  constexpr std::size_t kTurn = kStreams * kBlock;
  Figures read = passes_per_second(settings, team, [&](ThreadTeam::Member& member) {
    Range range = member.share(buffer.size() / kTurn);
    results[member.index() * 16] +=
        program.read(buffer.data() + range.begin * kTurn, (range.end - range.begin) * kTurn);
  });
  Figures multiply_add = passes_per_second(settings, team, [&](ThreadTeam::Member& member) {
    results[member.index() * 16] += program.multiply_add();
  });
  double gigabytes = static_cast<double>(buffer.size() / kTurn * kTurn * sizeof(float)) * 1e-9;
  double gigaflops = static_cast<double>(threads * kFmaTurns * kChains * program.lanes * 2) * 1e-9;
  return fmt::format(R"({{"threads": {}, "read_gb_per_s": {:.2f}, "read_gb_per_s_median": {:.2f}, )"
                     R"("fma_gflop_per_s": {:.1f}, "fma_gflop_per_s_median": {:.1f}}})",
                     threads, read.best * gigabytes, read.median * gigabytes,
                     multiply_add.best * gigaflops, multiply_add.median * gigaflops);
}

template <class Number>
bool parse(std::string_view text, Number& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0;
}

bool parse_arguments(int argc, char** argv, Settings& settings) {
  if (argc % 2 == 0) return false;
  for (int i = 1; i < argc; i += 2) {
    std::string_view name = argv[i];
    bool good = (name == "--megabytes" && parse(argv[i + 1], settings.megabytes)) ||
                (name == "--threads" && parse(argv[i + 1], settings.threads)) ||
                (name == "--seconds" && parse(argv[i + 1], settings.seconds));
    if (!good) return false;
  }
  return settings.threads <= 1024 && settings.megabytes <= (1u << 20);
}

int run(int argc, char** argv) {
  Settings settings;
  if (!parse_arguments(argc, argv, settings)) {
    fmt::print(stderr, "usage: bench_limits [--megabytes N] [--threads N] [--seconds S]\n");
    return 2;
  }
  auto kernels = kernels::choose_kernels();
  if (!kernels) {
    fmt::print(stderr, "bench_limits: {}\n", kernels.assume_error().message);
    return 1;
  }
  const char* isa = kernels.assume_value()->name;
  AlignedBuffer<float> buffer((settings.megabytes << 20) / sizeof(float));
  std::vector<std::string> lines{measure(settings, program_for(isa), buffer, 1)};
  if (settings.threads > 1) {
    lines.push_back(measure(settings, program_for(isa), buffer, settings.threads));
  }
  fmt::print("{{\"instructions\": \"{}\", \"megabytes\": {}, \"limits\": [\n  {}]}}\n", isa,
             settings.megabytes, fmt::join(lines, ",\n  "));
  return 0;
}

}  // namespace
}  // namespace chorus

int main(int argc, char** argv) { return chorus::run(argc, argv); }
