// What this machine can do at most, to divide measurements by: how fast its processors read memory,
// how many f32 fused multiply-adds and int8 products they make, and AMX where it is used. Prints one JSON object. Not a
// measurement of Chorus.
//
// usage: bench_limits [--megabytes N] [--threads N] [--seconds S]
// N megabytes (default: 1024, or four times the last-level cache if that is more, but at most half of
// the memory that is available: read_gb_per_s is null if that is too little), written once, are
// read from end to end, again and again, so few of them measure a cache.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/processors.h"
#include "kernels/kernels.h"
#include "limits/machine.h"

namespace chorus {
namespace {

struct Settings {
  std::size_t megabytes = 0;  // 0: enough for memory
  std::size_t threads = available_processors();
  double seconds = 1.0;  // for each figure
};

std::string giga_or_null(const std::optional<limits::Figure>& figure) {
  return figure ? fmt::format("{:.1f}", figure->best * 1e-9) : "null";
}

std::string quoted_or_null(const std::string& reason) {
  return reason.empty() ? "null" : '"' + reason + '"';
}

std::string to_json(const limits::Limits& limits) {
  const std::optional<limits::Figure>& read = limits.memory_read;
  return fmt::format(
      R"({{"threads": {}, "read_gb_per_s": {}, "read_gb_per_s_median": {}, "no_read": {}, )"
      R"("cache_bytes": {}, "cache_read_gb_per_s": {:.2f}, )"
      R"("fma_gflop_per_s": {:.1f}, "fma_gflop_per_s_median": {:.1f}, )"
      R"("int8_gop_per_s": {:.1f}, "int8_gop_per_s_median": {:.1f}, )"
      R"("bf16_gflop_per_s": {}, "amx_int8_gop_per_s": {}, "amx_bf16_gflop_per_s": {}, "no_amx": {}}})",
      limits.threads, read ? fmt::format("{:.2f}", read->best * 1e-9) : "null",
      read ? fmt::format("{:.2f}", read->median * 1e-9) : "null",
      quoted_or_null(limits.no_memory_read), limits.cache_bytes, limits.cache_read.best * 1e-9,
      limits.f32.best * 1e-9, limits.f32.median * 1e-9, limits.int8.best * 1e-9,
      limits.int8.median * 1e-9, giga_or_null(limits.bf16_pairs), giga_or_null(limits.amx_int8),
      giga_or_null(limits.amx_bf16), quoted_or_null(limits.no_amx));
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
  auto chosen = kernels::choose_kernels();
  if (!chosen) {
    fmt::print(stderr, "bench_limits: {}\n", chosen.assume_error().message);
    return 1;
  }
  const char* instructions = chosen.assume_value()->name;
  limits::Settings each{.bytes = settings.megabytes << 20, .seconds = settings.seconds};
  std::vector<std::string> lines{to_json(limits::measure(instructions, 1, each))};
  if (settings.threads > 1) {
    lines.push_back(to_json(limits::measure(instructions, settings.threads, each)));
  }
  fmt::print("{{\"instructions\": \"{}\", \"limits\": [\n  {}]}}\n", instructions,
             fmt::join(lines, ",\n  "));
  return 0;
}

}  // namespace
}  // namespace chorus

int main(int argc, char** argv) { return chorus::run(argc, argv); }
