// What the loops that draw over the whole vocabulary cost beside the talk's: one sample that decodes
// with top-k 200 on one thread, the loops taking turns in one process. Time is the process's own
// processor time, so that what else runs counts little. Prints one JSON object: milliseconds a token,
// and the median of the pairs' ratios.
//
// usage: bench_loops [CHECKPOINT]   (default: the embedded storyteller)

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "chorus/engine.h"

namespace {

using chorus::SamplingLoop;

constexpr int kPairs = 41;
constexpr std::int32_t kTokens = 48;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double processor_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

// Milliseconds a token; negative for an error, which is printed.
double measure(chorus::Engine& engine, SamplingLoop loop, std::uint64_t seed) {
  chorus::Request request{.prompt = {1}, .max_length = 1 + kTokens};
  request.sampling = {.loop = loop, .temperature = 0.8f, .top_k = 200, .seed = seed};
  request.ignore_eos = true;
  double start = processor_milliseconds();
  auto result = engine.generate(request);
  if (!result) {
    fmt::print(stderr, "{}\n", result.assume_error().message);
    return -1.0;
  }
  return (processor_milliseconds() - start) / result.assume_value().usage.generated_tokens;
}

}  // namespace

int main(int argc, char** argv) {
  auto loaded = chorus::Engine::load(argc > 1 ? argv[1] : "", {.threads = 1});
  if (!loaded) {
    fmt::print(stderr, "{}\n", loaded.assume_error().message);
    return 1;
  }
  chorus::Engine& engine = *loaded.assume_value();
  measure(engine, SamplingLoop::kTalk, 0);
  std::vector<double> talk, nanogpt, ratios;
  for (std::uint64_t i = 0; i < kPairs; ++i) {
    bool talk_first = i % 2 == 0;
    double first = measure(engine, talk_first ? SamplingLoop::kTalk : SamplingLoop::kNanoGpt, i);
    double second = measure(engine, talk_first ? SamplingLoop::kNanoGpt : SamplingLoop::kTalk, i);
    if (first < 0.0 || second < 0.0) return 1;
    talk.push_back(talk_first ? first : second);
    nanogpt.push_back(talk_first ? second : first);
    ratios.push_back(nanogpt.back() / talk.back());
  }
  fmt::print(
      "{{\"model\":\"{}\",\"top_k\":200,\"talk_ms\":{:.4f},\"nanogpt_ms\":{:.4f},"
      "\"ratio\":{:.4f}}}\n",
      engine.info().path, median(talk), median(nanogpt), median(ratios));
  return 0;
}
