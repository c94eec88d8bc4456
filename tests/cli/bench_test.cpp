// `chorus bench`: its arithmetic, its forms, and the command as a user runs it on the storyteller.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "cli/bench_report.h"
#include "cli/bench_result.h"
#include "support/run.h"
#include "support/scratch_folder.h"

namespace chorus::cli {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

TEST(BenchStatistics, MeanAndDeviationOfASample) {
  EXPECT_DOUBLE_EQ(mean({1, 2, 3, 6}), 3.0);
  EXPECT_DOUBLE_EQ(standard_deviation({2, 4, 4, 4, 5, 5, 7, 9}), std::sqrt(32.0 / 7.0));
  EXPECT_EQ(standard_deviation({5}), 0.0);
  EXPECT_EQ(mean({}), 0.0);
}

// GPT-2 124M with its padded vocabulary: 84.9 M weights in the layers, 38.6 M in the head.
const checkpoint::ModelConfig kGpt2{.vocab_size = 50304};

TEST(BenchLimit, OperationsAreTwoForEachWeightOfAMatrix) {
  EXPECT_EQ(operations_per_token(kGpt2, false), 2.0 * 12 * 12 * 768 * 768);
  EXPECT_EQ(operations_per_token(kGpt2, true), 2.0 * (12.0 * 12 * 768 * 768 + 50304.0 * 768));
}

TEST(BenchLimit, IsReadingForFewStreamsAndArithmeticForMany) {
  limits::Limits limits{.threads = 2,
                        .cache_bytes = 32 << 20,
                        .cache_read = {900e9, 900e9},
                        .memory_read = limits::Figure{50e9, 50e9},
                        .f32 = {200e9, 200e9},
                        .int8 = {800e9, 800e9}};
  constexpr std::uint64_t kBytes = 500'000'000;
  EXPECT_DOUBLE_EQ(generation_limit(kGpt2, NumberFormat::kF32, kBytes, 1, limits).value(), 100.0);
  EXPECT_DOUBLE_EQ(generation_limit(kGpt2, NumberFormat::kF32, kBytes, 4, limits).value(), 400.0);
  double operations = operations_per_token(kGpt2, true);
  EXPECT_DOUBLE_EQ(generation_limit(kGpt2, NumberFormat::kF32, kBytes, 64, limits).value(),
                   200e9 / operations);
  EXPECT_DOUBLE_EQ(generation_limit(kGpt2, NumberFormat::kInt8, kBytes, 64, limits).value(),
                   800e9 / operations);
  // Weights that the last-level cache holds are read from there.
  EXPECT_DOUBLE_EQ(generation_limit(kGpt2, NumberFormat::kF32, 32 << 20, 1, limits).value(),
                   std::min(900e9 / (32 << 20), 200e9 / operations));
  limits.memory_read.reset();
  EXPECT_FALSE(generation_limit(kGpt2, NumberFormat::kF32, kBytes, 1, limits).has_value());
  EXPECT_TRUE(generation_limit(kGpt2, NumberFormat::kF32, 32 << 20, 1, limits).has_value());
  limits.f32 = {200e12, 200e12};
  EXPECT_DOUBLE_EQ(generation_limit(kGpt2, NumberFormat::kF32, 32 << 20, 1, limits).value(),
                   900e9 / (32 << 20));
  EXPECT_DOUBLE_EQ(prompt_limit(kGpt2, NumberFormat::kInt4, limits),
                   800e9 / operations_per_token(kGpt2, false));
  EXPECT_DOUBLE_EQ(prompt_limit(kGpt2, NumberFormat::kBf16, limits),
                   limits.f32.best / operations_per_token(kGpt2, false));
  limits.bf16_pairs = {400e12, 300e12};
  EXPECT_DOUBLE_EQ(prompt_limit(kGpt2, NumberFormat::kBf16, limits),
                   400e12 / operations_per_token(kGpt2, false));
  EXPECT_DOUBLE_EQ(prompt_limit(kGpt2, NumberFormat::kBf16F32, limits),
                   limits.f32.best / operations_per_token(kGpt2, false));
  limits.amx_int8 = {7e12, 7e12};
  EXPECT_DOUBLE_EQ(prompt_limit(kGpt2, NumberFormat::kInt4, limits),
                   7e12 / operations_per_token(kGpt2, false));
}

const BenchMachine kMachine{
    "A <processor>",
    2,
    "avx2",
    {{2, 32 << 20, {9e9, 8e9}, limits::Figure{5e9, 4e9}, {2e9, 1e9}, {8e9, 7e9}}}};
const BenchResults kResults{
    {"pp", NumberFormat::kF32, 2, 1, 512, 1, {300, 100}, 400},
    {"tg", NumberFormat::kF32, 2, 1, 4, 128, {30, 50}, 80},
    {"tg", NumberFormat::kF32, 2, 16, 4, 128, {100}, 125},
    {"tg", NumberFormat::kInt8, 2, 1, 4, 128, {90}, 100},
};

TEST(BenchReport, JsonHasTheMachineAndEveryResult) {
  json::object all = json::parse(bench_json(kMachine, kResults)).as_object();
  const json::object& machine = all.at("machine").as_object();
  EXPECT_EQ(machine.at("processor"), "A <processor>");
  EXPECT_EQ(machine.at("limits").at(0).at("int8_gop_per_s").to_number<double>(), 8.0);
  EXPECT_EQ(all.at("results").as_array().size(), kResults.size());
  json::object expected{{"test", "tg"},          {"dtype", "f32"},
                        {"threads", 2},          {"streams", 16},
                        {"prompt_tokens", 4},    {"new_tokens", 128},
                        {"stddev", 0.0},         {"tokens_per_second", 100.0},
                        {"share_of_limit", 0.8}, {"weights_in", "memory"}};
  EXPECT_EQ(all.at("results").at(2), expected);
}

TEST(BenchReport, AmxHasItsPeaksOrAReason) {
  BenchMachine machine = kMachine;
  limits::Limits& limits = machine.limits[0];
  limits.no_amx = "this processor does not have it";
  EXPECT_THAT(bench_table(machine, kResults),
              HasSubstr("8 Gop/s int8; AMX: this processor does not have it\n"));
  auto of_json = [&](const char* name) {
    return json::parse(bench_json(machine, kResults)).at("machine").at("limits").at(0).at(name);
  };
  EXPECT_EQ(of_json("amx_int8_gop_per_s"), nullptr);
  EXPECT_EQ(of_json("bf16_gflop_per_s"), nullptr);
  limits.bf16_pairs = {4e9, 3e9};
  EXPECT_THAT(bench_table(machine, kResults), HasSubstr("8 Gop/s int8, 4 GFLOP/s bf16; AMX: "));
  EXPECT_EQ(of_json("bf16_gflop_per_s").to_number<double>(), 4.0);
  limits.bf16_pairs.reset();
  limits.no_amx.clear();
  limits.amx_int8 = {70e9, 60e9};
  EXPECT_THAT(bench_table(machine, kResults), HasSubstr("; AMX: 70 Gop/s int8\n"));
  limits.amx_bf16 = {35e9, 30e9};
  EXPECT_THAT(bench_table(machine, kResults), HasSubstr("; AMX: 70 Gop/s int8, 35 GFLOP/s bf16\n"));
  EXPECT_EQ(of_json("amx_int8_gop_per_s").to_number<double>(), 70.0);
  EXPECT_EQ(of_json("amx_bf16_gflop_per_s").to_number<double>(), 35.0);
}

TEST(BenchReport, SaysWhatWasNotMeasured) {
  BenchMachine machine = kMachine;
  machine.limits[0].memory_read.reset();
  machine.limits[0].no_memory_read = "not measured";
  BenchResults results{kResults[1]};
  results[0].limit.reset();
  EXPECT_THAT(bench_table(machine, results), HasSubstr("of 32 MiB, from memory: not measured; "));
  EXPECT_THAT(bench_table(machine, results), HasSubstr("  -      memory\n"));
  EXPECT_THAT(bench_csv(results), HasSubstr(",14.14,,memory\n"));
  json::value all = json::parse(bench_json(machine, results));
  EXPECT_EQ(all.at("machine").at("limits").at(0).at("read_gb_per_s"), nullptr);
  EXPECT_EQ(all.at("results").at(0).at("share_of_limit"), nullptr);
}

TEST(BenchReport, CsvHasALineForEachResult) {
  EXPECT_THAT(bench_csv(kResults), HasSubstr("\npp,f32,2,1,512,1,200.00,141.42,0.5000,memory\n"));
}

TEST(BenchReport, TableAndMarkdownGiveTheShareOfTheLimit) {
  EXPECT_THAT(bench_table(kMachine, kResults), HasSubstr("80%      memory\n"));
  EXPECT_THAT(bench_markdown(kMachine, kResults),
              HasSubstr("| tg | f32 | 2 | 16 | 4 | 128 | 100 | 0.0 | 80% | memory |\n"));
}

TEST(BenchReport, TheChartHasALineForEachDtypeAndNumberOfThreads) {
  Chart chart = bench_chart("gpt2", kResults);
  ASSERT_EQ(chart.lines.size(), 2u);
  EXPECT_EQ(chart.lines[0].name, "f32, 2 threads");
  EXPECT_EQ(chart.lines[0].points, (std::vector<std::pair<double, double>>{{1, 40}, {16, 100}}));
}

test::RunResult bench(std::vector<std::string> arguments) {
  std::vector<std::string> all{"bench", "--new-tokens", "4",   "--rounds", "2", "-t",
                               "1",     "--kv-memory",  "64MB"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return test::run_chorus(all);
}

TEST(BenchCommand, MeasuresPromptsAndGenerationForEveryNumberOfStreams) {
  test::ScratchFolder folder;
  test::RunResult result = bench(
      {"--json", "--streams", "1,3", "--prompt-tokens", "8", "--plot", folder.file("plot.svg")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  json::array results = json::parse(result.out).at("results").as_array();
  std::vector<std::string> found;
  for (const json::value& each : results) {
    found.push_back(std::string(each.at("test").as_string()) +
                    std::to_string(each.at("streams").as_int64()));
    EXPECT_GT(each.at("tokens_per_second").to_number<double>(), 0.0);
    EXPECT_GT(each.at("share_of_limit").to_number<double>(), 0.0);
  }
  EXPECT_THAT(found, UnorderedElementsAre("pp1", "tg1", "pp3", "tg3"));
  EXPECT_THAT(test::read_file(folder.file("plot.svg")), HasSubstr("1 thread</text>"));
}

TEST(BenchCommand, RatesHaveParallelopediasKeys) {
  test::ScratchFolder folder;
  test::RunResult result = bench({"--streams", "2", "--prompt-tokens", "8", "--rates",
                                  folder.file("rates.json"), "--note", "a remark"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  json::object rates = json::parse(test::read_file(folder.file("rates.json"))).as_object();
  std::vector<std::string> keys;
  for (const auto& each : rates) keys.push_back(std::string(each.key()));
  EXPECT_THAT(keys, UnorderedElementsAre("rates", "model_config", "args", "start_timestamp",
                                         "end_timestamp", "elapsed", "device_name", "note"));
  EXPECT_EQ(rates.at("rates").as_array().size(), 2u);
  EXPECT_EQ(rates.at("note"), "a remark");
}

TEST(BenchCommand, SaysWhatCannotBeMeasured) {
  EXPECT_THAT(bench({"--rates", "r.json"}).err, HasSubstr("--rates: expected one dtype"));
  test::RunResult too_long = bench({"--prompt-tokens", "1024"});
  EXPECT_EQ(too_long.exit_code, 1);
  EXPECT_THAT(too_long.err, HasSubstr("--prompt-tokens 1024"));
}

}  // namespace
}  // namespace chorus::cli
