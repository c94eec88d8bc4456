#include "cli/bench_report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <ctime>
#include <optional>

#include "core/utf8.h"

namespace chorus::cli {
namespace {

namespace json = boost::json;

using Row = std::vector<std::string>;

const char* place_of_weights(const BenchResult& result) {
  return result.weights_in_cache ? "cache" : "memory";
}

std::vector<Row> rows_of(const BenchResults& results) {
  std::vector<Row> rows{{"test", "dtype", "threads", "streams", "prompt", "new", "tokens/s",
                         "deviation", "of the limit", "weights in"}};
  for (const BenchResult& result : results) {
    double rate = mean(result.rates);
    std::optional<double> share = share_of_limit(result);
    rows.push_back(
        {result.test, number_format_name(result.dtype), std::to_string(result.threads),
         std::to_string(result.streams), std::to_string(result.prompt_tokens),
         std::to_string(result.new_tokens), fmt::format("{:.{}f}", rate, rate < 100.0 ? 1 : 0),
         fmt::format("{:.1f}", standard_deviation(result.rates)),
         share ? fmt::format("{:.0f}%", *share * 100.0) : "-", place_of_weights(result)});
  }
  return rows;
}

std::string amx_text(const limits::Limits& limits) {
  if (!limits.amx_int8) return limits.no_amx;
  std::string text = fmt::format("{:.0f} Gop/s int8", limits.amx_int8->best * 1e-9);
  if (limits.amx_bf16) text += fmt::format(", {:.0f} GFLOP/s bf16", limits.amx_bf16->best * 1e-9);
  return text;
}

std::string memory_text(const limits::Limits& limits) {
  if (!limits.memory_read) return fmt::format("from memory: {}", limits.no_memory_read);
  return fmt::format("{:.1f} from memory", limits.memory_read->best * 1e-9);
}

std::string bf16_text(const limits::Limits& limits) {
  if (!limits.bf16_pairs) return "";
  return fmt::format(", {:.0f} GFLOP/s bf16", limits.bf16_pairs->best * 1e-9);
}

std::string machine_text(const BenchMachine& machine) {
  std::string text =
      fmt::format("{}, {} processor{}, kernels: {}\n", machine.processor, machine.cores,
                  machine.cores == 1 ? "" : "s", machine.instructions);
  for (const limits::Limits& limits : machine.limits) {
    text += fmt::format(
        "{} thread{}: reads {:.1f} GB/s from the cache of {} MiB, {}; peak {:.0f} GFLOP/s f32, "
        "{:.0f} Gop/s int8{}; AMX: {}\n",
        limits.threads, limits.threads == 1 ? "" : "s", limits.cache_read.best * 1e-9,
        limits.cache_bytes >> 20, memory_text(limits), limits.f32.best * 1e-9,
        limits.int8.best * 1e-9, bf16_text(limits), amx_text(limits));
  }
  return text;
}

// To so many digits as mean something.
double rounded(double value, double unit) { return std::round(value / unit) * unit; }

json::value giga_or_null(const std::optional<limits::Figure>& figure, double unit = 0.1) {
  return figure ? json::value(rounded(figure->best * 1e-9, unit)) : json::value(nullptr);
}

std::string timestamp(double seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(seconds)));
}

}  // namespace

std::string bench_table(const BenchMachine& machine, const BenchResults& results) {
  std::vector<Row> rows = rows_of(results);
  std::vector<std::size_t> widths(rows[0].size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text = machine_text(machine) + "\n";
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += fmt::format("{}{:>{}}", i == 0 ? "" : "  ", row[i], widths[i]);
    }
    text += "\n";
  }
  return text;
}

std::string bench_markdown(const BenchMachine& machine, const BenchResults& results) {
  std::vector<Row> rows = rows_of(results);
  rows.insert(rows.begin() + 1, Row(rows[0].size(), "---"));
  std::string text = machine_text(machine) + "\n";
  for (const Row& row : rows) text += fmt::format("| {} |\n", fmt::join(row, " | "));
  return text;
}

std::string bench_csv(const BenchResults& results) {
  std::string text =
      "test,dtype,threads,streams,prompt_tokens,new_tokens,tokens_per_second,stddev,"
      "share_of_limit,weights_in\n";
  for (const BenchResult& result : results) {
    std::optional<double> share = share_of_limit(result);
    text += fmt::format("{},{},{},{},{},{},{:.2f},{:.2f},{},{}\n", result.test,
                        number_format_name(result.dtype), result.threads, result.streams,
                        result.prompt_tokens, result.new_tokens, mean(result.rates),
                        standard_deviation(result.rates),
                        share ? fmt::format("{:.4f}", *share) : "", place_of_weights(result));
  }
  return text;
}

std::string bench_json(const BenchMachine& machine, const BenchResults& results) {
  json::array limits, lines;
  for (const limits::Limits& each : machine.limits) {
    limits.push_back(
        json::object{{"threads", each.threads},
                     {"read_gb_per_s", giga_or_null(each.memory_read, 0.01)},
                     {"cache_read_gb_per_s", rounded(each.cache_read.best * 1e-9, 0.01)},
                     {"cache_bytes", each.cache_bytes},
                     {"f32_gflop_per_s", rounded(each.f32.best * 1e-9, 0.1)},
                     {"int8_gop_per_s", rounded(each.int8.best * 1e-9, 0.1)},
                     {"bf16_gflop_per_s", giga_or_null(each.bf16_pairs)},
                     {"amx_int8_gop_per_s", giga_or_null(each.amx_int8)},
                     {"amx_bf16_gflop_per_s", giga_or_null(each.amx_bf16)}});
  }
  for (const BenchResult& result : results) {
    std::optional<double> share = share_of_limit(result);
    lines.push_back(
        json::object{{"test", result.test},
                     {"dtype", number_format_name(result.dtype)},
                     {"threads", result.threads},
                     {"streams", result.streams},
                     {"prompt_tokens", result.prompt_tokens},
                     {"new_tokens", result.new_tokens},
                     {"tokens_per_second", rounded(mean(result.rates), 0.01)},
                     {"stddev", rounded(standard_deviation(result.rates), 0.01)},
                     {"share_of_limit", share ? json::value(rounded(*share, 0.0001)) : nullptr},
                     {"weights_in", place_of_weights(result)}});
  }
  json::object all{{"machine", json::object{{"processor", replace_ill_formed(machine.processor)},
                                            {"cores", machine.cores},
                                            {"instructions", machine.instructions},
                                            {"limits", std::move(limits)}}},
                   {"results", std::move(lines)}};
  return json::serialize(all) + "\n";
}

Chart bench_chart(const std::string& model, const BenchResults& results) {
  Chart chart{.title = model + ": generated tokens per second",
              .x_label = "streams at once",
              .y_label = "tokens per second, all streams",
              .lines = {}};
  for (const BenchResult& result : results) {
    if (result.test != "tg") continue;
    std::string name = fmt::format("{}, {} thread{}", number_format_name(result.dtype),
                                   result.threads, result.threads == 1 ? "" : "s");
    auto same_name = [&name](const ChartLine& line) { return line.name == name; };
    auto line = std::find_if(chart.lines.begin(), chart.lines.end(), same_name);
    if (line == chart.lines.end()) line = chart.lines.insert(line, {name, {}});
    line->points.emplace_back(static_cast<double>(result.streams), mean(result.rates));
  }
  for (ChartLine& line : chart.lines) std::sort(line.points.begin(), line.points.end());
  return chart;
}

std::string rates_json(const RatesFile& file) {
  json::object args;
  for (const auto& [name, value] : file.args) args[name] = replace_ill_formed(value);
  json::object all{{"rates", json::array(file.rates.begin(), file.rates.end())},
                   {"model_config", json::object{{"block_size", file.config.block_size},
                                                 {"vocab_size", file.config.vocab_size},
                                                 {"n_layer", file.config.n_layer},
                                                 {"n_head", file.config.n_head},
                                                 {"n_embd", file.config.n_embd}}},
                   {"args", std::move(args)},
                   {"start_timestamp", timestamp(file.start)},
                   {"end_timestamp", timestamp(file.end)},
                   {"elapsed", rounded(file.end - file.start, 0.001)},
                   {"device_name", replace_ill_formed(file.device_name)},
                   {"note", replace_ill_formed(file.note)}};
  return json::serialize(all) + "\n";
}

}  // namespace chorus::cli
