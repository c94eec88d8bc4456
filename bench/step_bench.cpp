// How fast whole forward steps are: one sequence that decodes, many that decode together, a prompt.
// Prints one JSON object of tokens per second, the best of several runs. Sampling is not in it.
//
// usage: bench_step CHECKPOINT [--dtype f32|bf16|bf16-f32|int8|int4] [--threads N] [--rows N] [--prompt N]
// With one thread, time is that thread's processor time, so that what else runs counts little.

#include <fmt/format.h>
#include <time.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <string_view>
#include <vector>

#include "model/model.h"

namespace chorus {
namespace {

using model::Chunk;
using model::Model;

struct Settings {
  std::string path;
  NumberFormat type = NumberFormat::kF32;
  std::size_t threads = available_processors();
  std::size_t rows = 32, prompt = 512;
};

constexpr std::size_t kContext = 64;  // positions before the token that a decoding step computes
constexpr int kRuns = 7;

double seconds_now(bool of_this_thread) {
  timespec now{};
  clock_gettime(of_this_thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Sequences with room for some positions; their keys and values are zeros.
class Sequences {
 public:
  Sequences(const Model& model, std::size_t count, std::size_t positions)
      : pages_(positions / model::kPagePositions + 1),
        store_(model.kv_layout(), count * pages_),
        numbers_(count * pages_) {
    std::iota(numbers_.begin(), numbers_.end(), 0u);
  }
  std::span<const model::PageNumber> table(std::size_t i) const {
    return std::span(numbers_).subspan(i * pages_, pages_);
  }
  model::KvStore& store() { return store_; }

 private:
  std::size_t pages_;  // of one sequence
  model::KvStore store_;
  std::vector<model::PageNumber> numbers_;
};

double best_seconds(const Model& model, ThreadTeam& team, Sequences& sequences,
                    const std::vector<Chunk>& chunks) {
  model::Workspace workspace;
  model.forward(chunks, sequences.store(), workspace, team);
  double best = 1e9;
  for (int run = 0; run < kRuns; ++run) {
    double start = seconds_now(team.size() == 1);
    model.forward(chunks, sequences.store(), workspace, team);
    best = std::min(best, seconds_now(team.size() == 1) - start);
  }
  return best;
}

double decoding(const Model& model, ThreadTeam& team, std::size_t rows) {
  Sequences sequences(model, rows, kContext + 1);
  std::vector<std::int32_t> ids(rows, 17);
  std::vector<Chunk> chunks;
  for (std::size_t i = 0; i < rows; ++i) {
    chunks.push_back({std::span(ids).subspan(i, 1), kContext, sequences.table(i), 0});
  }
  return static_cast<double>(rows) / best_seconds(model, team, sequences, chunks);
}

double prompt(const Model& model, ThreadTeam& team, std::size_t length) {
  Sequences sequences(model, 1, length);
  std::vector<std::int32_t> ids(length, 17);
  std::vector<Chunk> chunks = {{ids, 0, sequences.table(0), length - 1}};
  return static_cast<double>(length) / best_seconds(model, team, sequences, chunks);
}

bool parse(std::string_view text, std::size_t& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0 && value <= 1024;
}

bool parse(std::string_view text, NumberFormat& value) {
  auto format = parse_number_format(text);
  if (!format || *format == NumberFormat::kF16) return false;
  value = *format;
  return true;
}

bool parse_arguments(int argc, char** argv, Settings& settings) {
  if (argc < 2 || argc % 2 != 0) return false;
  settings.path = argv[1];
  for (int i = 2; i < argc; i += 2) {
    std::string_view name = argv[i];
    bool good = (name == "--dtype" && parse(argv[i + 1], settings.type)) ||
                (name == "--threads" && parse(argv[i + 1], settings.threads)) ||
                (name == "--rows" && parse(argv[i + 1], settings.rows)) ||
                (name == "--prompt" && parse(argv[i + 1], settings.prompt));
    if (!good) return false;
  }
  return true;
}

Result<void> run(const Settings& settings) {
  CHORUS_TRY(auto checkpoint, checkpoint::open(settings.path));
  ThreadTeam team(settings.threads);
  CHORUS_TRY(auto model, Model::load(checkpoint, settings.type, team, {},
                                     model::QuantisedMemory::kCopied));  // as it is served
  fmt::print(R"({{"dtype": "{}", "threads": {}, "one_row": {:.1f}, "{}_rows": {:.1f}, )"
             R"("prompt_of_{}": {:.1f}}})"
             "\n",
             number_format_name(settings.type), settings.threads, decoding(*model, team, 1),
             settings.rows, decoding(*model, team, settings.rows), settings.prompt,
             prompt(*model, team, settings.prompt));
  return ok();
}

}  // namespace
}  // namespace chorus

int main(int argc, char** argv) {
  chorus::Settings settings;
  if (!chorus::parse_arguments(argc, argv, settings)) {
    fmt::print(stderr,
               "usage: bench_step CHECKPOINT [--dtype f32|bf16|bf16-f32|int8|int4] [--threads N] "
               "[--rows N] [--prompt N]\n");
    return 2;
  }
  auto done = chorus::run(settings);
  if (done) return 0;
  fmt::print(stderr, "bench_step: {}\n", done.assume_error().message);
  return 1;
}
