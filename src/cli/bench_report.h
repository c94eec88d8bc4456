// The forms in which `chorus bench` gives its results. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "cli/bench_result.h"
#include "cli/line_chart.h"

namespace chorus::cli {

using BenchResults = std::vector<BenchResult>;

// For people: the machine in a few lines, then aligned columns.
std::string bench_table(const BenchMachine& machine, const BenchResults& results);
std::string bench_markdown(const BenchMachine& machine, const BenchResults& results);
// The results alone, under a line with the columns' names.
std::string bench_csv(const BenchResults& results);
// {"machine": {"processor", "cores", "instructions", "limits": [{"threads", "read_gb_per_s",
// "cache_read_gb_per_s", "cache_bytes", "f32_gflop_per_s", "int8_gop_per_s", "bf16_gflop_per_s", "amx_int8_gop_per_s", "amx_bf16_gflop_per_s"}]}, "results": [{"test", "dtype", "threads", "streams",
// "prompt_tokens", "new_tokens", "tokens_per_second", "stddev", "share_of_limit", "weights_in"}]}
std::string bench_json(const BenchMachine& machine, const BenchResults& results);

// Generated tokens per second over streams, a line for each dtype and number of threads.
Chart bench_chart(const std::string& model, const BenchResults& results);

// What parallelopedia's measuring command writes, with its keys: rates, model_config, args,
// start_timestamp, end_timestamp, elapsed, device_name, note.
struct RatesFile {
  std::vector<double> rates;  // generated tokens per second, one for each round
  checkpoint::ModelConfig config;
  std::vector<std::pair<std::string, std::string>> args;  // the options' names and values
  double start = 0.0, end = 0.0;                          // seconds since 1970
  std::string device_name, note;
};
std::string rates_json(const RatesFile& file);

}  // namespace chorus::cli
