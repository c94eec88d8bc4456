// How many requests a second the engine itself makes: the talk's load test (serve_load.py) without HTTP.
// Clients of one prompt and seed, each of which asks again as soon as its text has ended: from a thread
// of its own, as programs do, and from the callback that tells the end, which is the engine's limit,
// since then the next request never misses a step. They take turns. Prints one JSON object of
// requests/s, the median of the rounds.
//
// usage: bench_requests CHECKPOINT [--clients N] [--threads N] [--seconds N] [--rounds N]

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "chorus/engine.h"

namespace {

using chorus::Engine;
using chorus::Event;
using chorus::Request;
using chorus::Stream;

struct Settings {
  std::string path;
  std::size_t clients = 14, threads = 0, seconds = 8, rounds = 1;
};

// Ends are counted, and when it is over no client asks again. As wrk counts: from when the first asks, so
// that what is under way at the end is lost to both.
class Counter {
 public:
  bool count() {
    ++ended_;
    return !over_;
  }
  double rate(std::size_t seconds) {
    std::this_thread::sleep_until(begin_ + std::chrono::seconds(seconds));
    std::size_t ended = ended_;
    std::chrono::duration<double> time = Clock::now() - begin_;
    over_ = true;
    return static_cast<double>(ended) / time.count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin_ = Clock::now();
  std::atomic<std::size_t> ended_{0};
  std::atomic<bool> over_{false};
};

[[noreturn]] void fail(const chorus::Error& error) {
  fmt::print(stderr, "bench_requests: {}\n", error.message);
  std::exit(1);
}

double rate_of_threads(Engine& engine, const Request& request, const Settings& settings) {
  Counter counter;
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < settings.clients; ++i) {
    clients.emplace_back([&] {
      do {
        auto stream = engine.submit(request);
        if (!stream) fail(stream.assume_error());
        while (auto event = stream.assume_value().next()) {
          if (event->kind == Event::Kind::kError) fail(event->error);
        }
      } while (counter.count());
    });
  }
  double rate = counter.rate(settings.seconds);
  for (std::thread& client : clients) client.join();
  return rate;
}

double rate_of_callbacks(Engine& engine, const Request& request, const Settings& settings) {
  Counter counter;
  std::atomic<std::size_t> running{settings.clients};
  std::vector<Stream> streams(settings.clients);
  std::mutex asking;  // an end may be told while the first requests are still being made
  std::function<void(std::size_t)> ask = [&](std::size_t client) {
    std::lock_guard lock(asking);
    auto stream = engine.submit(request, [&, client](const Event& event) {
      if (event.kind == Event::Kind::kError) fail(event.error);
      if (!event.last) return;
      if (counter.count()) return ask(client);
      if (--running == 0) running.notify_one();
    });
    if (!stream) fail(stream.assume_error());
    streams[client] = std::move(stream.assume_value());
  };
  for (std::size_t i = 0; i < settings.clients; ++i) ask(i);
  double rate = counter.rate(settings.seconds);
  for (std::size_t left = running; left > 0; left = running) running.wait(left);
  return rate;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

bool parse(std::string_view text, std::size_t& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0 && value <= 1024;
}

bool parse_arguments(int argc, char** argv, Settings& settings) {
  if (argc < 2 || argc % 2 != 0) return false;
  settings.path = argv[1];
  for (int i = 2; i < argc; i += 2) {
    std::string_view name = argv[i];
    std::size_t* value = name == "--clients"   ? &settings.clients
                         : name == "--threads" ? &settings.threads
                         : name == "--seconds" ? &settings.seconds
                         : name == "--rounds"  ? &settings.rounds
                                               : nullptr;
    if (value == nullptr || !parse(argv[i + 1], *value)) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  if (!parse_arguments(argc, argv, settings)) {
    fmt::print(stderr,
               "usage: bench_requests CHECKPOINT [--clients N] [--threads N] [--seconds N] "
               "[--rounds N]\n");
    return 2;
  }
  auto loaded = Engine::load(settings.path, {.threads = settings.threads, .pin_threads = false});
  if (!loaded) fail(loaded.assume_error());
  Engine& engine = *loaded.assume_value();
  auto prompt = engine.encode("The quick brown fox");
  if (!prompt) fail(prompt.assume_error());
  Request request{.prompt = prompt.assume_value(), .max_length = 20};
  request.sampling.seed = 42;
  Settings warming_up = settings;
  warming_up.seconds = 1;
  rate_of_threads(engine, request, warming_up);
  std::vector<double> threads, callbacks;
  for (std::size_t round = 0; round < settings.rounds; ++round) {
    threads.push_back(rate_of_threads(engine, request, settings));
    callbacks.push_back(rate_of_callbacks(engine, request, settings));
  }
  fmt::print("{{\"clients\": {}, \"requests_per_second\": {:.1f}, \"from_callbacks\": {:.1f}}}\n",
             settings.clients, median(threads), median(callbacks));
  return 0;
}
