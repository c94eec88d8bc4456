#include "cli/bench_run.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <utility>
#include <vector>

namespace chorus::cli {
namespace {

using Clock = std::chrono::steady_clock;

// No two requests of an engine have one seed, whatever their numbers of streams: a prompt that was
// read before is found in the prefix cache.
constexpr std::uint64_t kMostStreams = 65536;

// The callbacks of all streams; they come one after the other, on the engine's thread.
class Tally {
 public:
  explicit Tally(std::size_t streams) : has_token_(streams), running_(streams) {}

  void take(std::size_t stream, const Event& event) {
    std::lock_guard lock(mutex_);
    if (event.kind == Event::Kind::kToken) {
      if (all_started_) ++tokens_since_;
      if (!has_token_[stream]) {
        has_token_[stream] = true;
        if (++started_ == has_token_.size()) all_started_ = Clock::now();
      }
    }
    if (event.kind == Event::Kind::kError && !error_) error_ = event.error;
    if (event.last && --running_ == 0) {
      end_ = Clock::now();
      ended_.notify_one();
    }
  }

  Result<void> wait() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return running_ == 0; });
    if (error_) return *error_;
    return ok();
  }

  // After wait().
  Clock::time_point all_started() const { return all_started_.value_or(end_); }
  Clock::time_point end() const { return end_; }
  double tokens_since() const { return static_cast<double>(tokens_since_); }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  std::vector<bool> has_token_;  // of each stream
  std::size_t started_ = 0, running_;
  std::optional<Clock::time_point> all_started_;
  std::size_t tokens_since_ = 0;  // behind it
  Clock::time_point end_;
  std::optional<Error> error_;
};

// Ordinary words of GPT-2 in its own vocabulary, any ids in others.
constexpr std::int32_t kMostIds = 50256;

Request request_of(const Engine& engine, const BenchLoad& load, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  auto ids = static_cast<std::uint64_t>(std::min(engine.info().vocab_size, kMostIds));
  Request request;
  for (std::int32_t i = 0; i < load.prompt_tokens; ++i) {
    request.prompt.push_back(static_cast<std::int32_t>(generator() % ids));
  }
  request.max_length = load.prompt_tokens + load.new_tokens;
  request.sampling.seed = seed;
  request.ignore_eos = true;
  return request;
}

// Runs all streams to their ends. `begin` is when the first was submitted.
Result<Clock::time_point> run_streams(Engine& engine, const BenchLoad& load, std::uint64_t round,
                                      Tally& tally) {
  std::vector<Request> requests;
  for (std::size_t i = 0; i < load.streams; ++i) {
    requests.push_back(request_of(engine, load, round * kMostStreams + i));
  }
  std::vector<Stream> streams;
  Clock::time_point begin = Clock::now();
  for (std::size_t i = 0; i < load.streams; ++i) {
    CHORUS_TRY(Stream stream,
               engine.submit(std::move(requests[i]),
                             [&tally, i](const Event& event) { tally.take(i, event); }));
    streams.push_back(std::move(stream));
  }
  CHORUS_TRY(tally.wait());
  return begin;
}

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Result<double> prompt_rate(Engine& engine, const BenchLoad& load, std::uint64_t round) {
  Tally tally(load.streams);
  CHORUS_TRY(Clock::time_point begin, run_streams(engine, load, round, tally));
  double tokens = static_cast<double>(load.streams) * load.prompt_tokens;
  return tokens / seconds(tally.all_started() - begin);
}

Result<double> generation_rate(Engine& engine, const BenchLoad& load, std::uint64_t round) {
  Tally tally(load.streams);
  CHORUS_TRY(run_streams(engine, load, round, tally));
  return tally.tokens_since() / seconds(tally.end() - tally.all_started());
}

}  // namespace chorus::cli
