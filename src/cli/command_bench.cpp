// `chorus bench`: tokens per second of many streams at once, beside what the machine allows.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "cli/bench_report.h"
#include "cli/bench_result.h"
#include "cli/bench_run.h"
#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cli/model_source.h"
#include "cli/option_checks.h"
#include "cli/output.h"
#include "core/processors.h"
#include "limits/machine.h"

namespace chorus::cli {
namespace {

// Enough for a stream to begin with; what is timed begins behind it.
constexpr std::int32_t kGenerationPrompt = 4;

struct BenchOptions {
  ModelOptions model;                // its dtype and threads are the lists' in turn
  std::vector<NumberFormat> dtypes;  // empty: as stored
  std::vector<std::size_t> threads, streams = {1, 4, 16, 32};
  std::int32_t prompt_tokens = 512, new_tokens = 128;
  int rounds = 5;
  bool as_json = false, as_csv = false, as_markdown = false;
  std::string plot, rates, note;
};

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  if (!(file << text) || !file.flush()) throw CommandFailed(path + ": cannot be written");
}

void check_lengths(const BenchOptions& options, const ModelInfo& info) {
  std::int32_t longest =
      std::max(options.prompt_tokens + 1, kGenerationPrompt + options.new_tokens);
  if (longest > info.block_size) {
    throw CommandFailed(
        fmt::format("--prompt-tokens {} and one more, and --new-tokens {} and {} before them, must "
                    "fit the model's block of {} tokens",
                    options.prompt_tokens, options.new_tokens, kGenerationPrompt, info.block_size));
  }
}

// All results of one engine: a pp and a tg for each number of streams. A round measures each once,
// so that a machine that changes its speed changes it for all. Round 0 warms up.
void measure_engine(const BenchOptions& options, const LoadedEngine& loaded,
                    const limits::Limits& limits, BenchResults& results) {
  const ModelInfo& info = loaded.engine->info();
  std::size_t first = results.size();
  for (std::size_t streams : options.streams) {
    results.push_back({.test = "pp",
                       .dtype = info.dtype,
                       .threads = info.threads,
                       .streams = streams,
                       .prompt_tokens = options.prompt_tokens,
                       .new_tokens = 1,
                       .limit = prompt_limit(loaded.config, info.dtype, limits),
                       .weights_in_cache = limits.fits_cache(info.weight_bytes)});
    results.push_back(
        {.test = "tg",
         .dtype = info.dtype,
         .threads = info.threads,
         .streams = streams,
         .prompt_tokens = kGenerationPrompt,
         .new_tokens = options.new_tokens,
         .limit = generation_limit(loaded.config, info.dtype, info.weight_bytes, streams, limits),
         .weights_in_cache = limits.fits_cache(info.weight_bytes)});
  }
  for (int round = 0; round <= options.rounds; ++round) {
    for (std::size_t i = first; i < results.size(); ++i) {
      BenchResult& result = results[i];
      BenchLoad load{result.streams, result.prompt_tokens, result.new_tokens};
      auto measure = result.test == "pp" ? prompt_rate : generation_rate;
      double rate = value_or_fail(
          measure(*loaded.engine, load, static_cast<std::uint64_t>(round) * results.size() + i));
      if (round > 0) result.rates.push_back(rate);
    }
  }
}

RatesFile rates_of(const BenchOptions& options, const BenchMachine& machine,
                   const BenchResults& results, const checkpoint::ModelConfig& config,
                   double start) {
  const BenchResult& generation = results.back();
  return {.rates = generation.rates,
          .config = config,
          .args = {{"model", options.model.model},
                   {"dtype", number_format_name(generation.dtype)},
                   {"threads", std::to_string(generation.threads)},
                   {"streams", std::to_string(generation.streams)},
                   {"new_tokens", std::to_string(generation.new_tokens)},
                   {"rounds", std::to_string(options.rounds)}},
          .start = start,
          .end = now(),
          .device_name = machine.processor,
          .note = options.note};
}

std::string report(const BenchOptions& options, const BenchMachine& machine,
                   const BenchResults& results) {
  if (options.as_json) return bench_json(machine, results);
  if (options.as_csv) return bench_csv(results);
  if (options.as_markdown) return bench_markdown(machine, results);
  return bench_table(machine, results);
}

void run(BenchOptions options) {
  if (options.threads.empty()) options.threads = {available_processors()};
  std::vector<std::optional<NumberFormat>> dtypes(options.dtypes.begin(), options.dtypes.end());
  if (dtypes.empty()) dtypes = {std::nullopt};
  if (!options.rates.empty() &&
      dtypes.size() * options.threads.size() * options.streams.size() != 1) {
    throw CLI::ValidationError(
        "--rates: expected one dtype, one number of threads and one of streams");
  }
  options.model.keep_mapped = false;  // as it is served
  double start = now();
  BenchMachine machine{limits::processor_name(), available_processors(), {}, {}};
  BenchResults results;
  checkpoint::ModelConfig config;
  for (std::size_t threads : options.threads) {
    for (std::optional<NumberFormat> dtype : dtypes) {
      options.model.dtype = dtype;
      options.model.threads = threads;
      LoadedEngine loaded = load_engine(options.model);
      const ModelInfo& info = loaded.engine->info();
      if (results.empty()) print_notes(info.notes);
      check_lengths(options, info);
      if (machine.limits.empty() || machine.limits.back().threads != threads) {
        machine.limits.push_back(limits::measure(info.instructions, threads, {.seconds = 0.5}));
      }
      machine.instructions = info.instructions;
      config = loaded.config;
      fmt::print(stderr, "Measuring {}\n", describe(info));
      measure_engine(options, loaded, machine.limits.back(), results);
    }
  }
  write_output(report(options, machine, results));
  std::string name = options.model.model.empty() ? "storyteller" : options.model.model;
  if (!options.plot.empty()) write_file(options.plot, to_svg(bench_chart(name, results)));
  if (!options.rates.empty()) {
    write_file(options.rates, rates_json(rates_of(options, machine, results, config, start)));
  }
}

void add_load_options(CLI::App& command, BenchOptions& options) {
  command.add_option("--dtype", options.dtypes, "How weights are held (default: as stored)")
      ->delimiter(',')
      ->transform(number_format(kWeightFormats))
      ->type_name("TYPE,...");
  command
      .add_option("--threads,-t", options.threads,
                  "Threads that compute (default: the processors that this process may use)")
      ->delimiter(',')
      ->transform(whole_number(1, 1024))
      ->type_name("N,...");
  command.add_option("--streams", options.streams, "Streams at once (default: 1,4,16,32)")
      ->delimiter(',')
      ->transform(whole_number(1, 256))
      ->type_name("N,...");
  command
      .add_option("--prompt-tokens", options.prompt_tokens,
                  "Length of each stream's prompt for pp (default: 512)")
      ->transform(whole_number(1))
      ->type_name("N");
  command
      .add_option("--new-tokens", options.new_tokens,
                  "Tokens that each stream generates for tg (default: 128)")
      ->transform(whole_number(2))
      ->type_name("N");
  command.add_option("--rounds", options.rounds, "Times that each is measured (default: 5)")
      ->transform(whole_number(1))
      ->type_name("R");
}

void add_report_options(CLI::App& command, BenchOptions& options) {
  CLI::Option_group* forms = command.add_option_group("form");
  forms->add_flag("--json", options.as_json, "Print {\"machine\", \"results\"}");
  forms->add_flag("--csv", options.as_csv, "Print the results as comma-separated values");
  forms->add_flag("--markdown", options.as_markdown, "Print the table in Markdown");
  forms->require_option(0, 1);
  command
      .add_option("--plot", options.plot,
                  "Draw tg over streams, a line for each dtype and number of threads, into an SVG "
                  "file")
      ->transform(not_empty("a path"))
      ->type_name("FILE");
  command
      .add_option("--rates", options.rates,
                  "Write tg's rates, one a round, into a JSON file with parallelopedia's keys; for "
                  "one dtype, number of threads and number of streams")
      ->transform(not_empty("a path"))
      ->type_name("FILE");
  command.add_option("--note", options.note, "A remark for the file of --rates")->type_name("TEXT");
}

}  // namespace

void add_bench(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand(
      "bench", "Measure tokens per second of many streams at once, and the machine's limits");
  add_model_name_option(*command, options->model);
  add_load_options(*command, *options);
  add_further_model_options(*command, options->model);
  add_report_options(*command, *options);
  command->footer(
      "pp: prompt tokens per second, until every stream has its first token.\n"
      "tg: generated tokens per second, sampling (top-k 50) included, from when every stream has "
      "its first token.\n"
      "The limit of pp is PEAK / (2 * weights of the layers): operations per second over those of "
      "a token.\n"
      "The limit of tg is the smaller of READ / (bytes of all weights) * streams and\n"
      "PEAK / (2 * weights of the layers and the head). READ and PEAK (of int8 products for int8 "
      "and int4, of bf16's for bf16, else of f32\n"
      "multiply-adds) are the best that was measured at the start with as many threads. READ is "
      "that "
      "of the last-level\n"
      "cache where it can hold all weights, else of memory; \"weights in\" says which.\n"
      "Example:\n"
      "  chorus bench --model gpt2 --streams 1,32 --dtype f32,bf16 --plot bench.svg");
  command->callback([options] { run(*options); });
}

}  // namespace chorus::cli
