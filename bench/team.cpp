// What the thread team's waiting costs: steps like a model's (60 phases, 3 ms in all, shared
// in pieces; then 0.1 ms on one thread, which plans and tells), alone and beside one busy process for
// each processor. Prints one JSON object: the median step, how often members slept and were woken
// in one, and how much slower the busy processes make it (2 is the fair share of the processors).
//
// usage: bench_team [STEPS]

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/work_stealing.h"

namespace chorus {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kPhases = 60, kPieces = 8;  // of a phase, for each member
constexpr double kPhaseSeconds = 50e-6, kAloneSeconds = 100e-6;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A fixed amount of work: `turns` dependent multiply-adds.
double work(long turns) {
  volatile double sum = 1.0;
  double value = sum;
  for (long i = 0; i < turns; ++i) value = value * 0.999 + 0.5;
  sum = value;
  return sum;
}

double turns_per_second() {
  constexpr long kTurns = 200'000;
  double best = 1.0;
  for (int i = 0; i < 100; ++i) {
    Clock::time_point start = Clock::now();
    work(kTurns);
    best = std::min(best, seconds_since(start));
  }
  return kTurns / best;
}

struct Figures {
  double step_seconds;     // median
  double sleeps_per_step;  // of the whole process: voluntary context switches
  double processors_used;  // CPU time over real time
};

Figures measure(ThreadTeam& team, int steps, double speed) {
  long piece = static_cast<long>(kPhaseSeconds * speed / kPieces);
  long alone = static_cast<long>(kAloneSeconds * speed);
  std::vector<double> seconds;
  rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  Clock::time_point begin = Clock::now();
  for (int step = 0; step < steps; ++step) {
    Clock::time_point start = Clock::now();
    std::vector<Phase> phases(
        kPhases, {team.size() * kPieces, 1, [piece](Range, std::size_t) { work(piece); }});
    run_phases(team, phases);
    work(alone);
    seconds.push_back(seconds_since(start));
  }
  double wall = seconds_since(begin);
  getrusage(RUSAGE_SELF, &after);
  auto cpu = [](const rusage& usage) {
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  };
  std::sort(seconds.begin(), seconds.end());
  return {seconds[seconds.size() / 2],
          static_cast<double>(after.ru_nvcsw - before.ru_nvcsw) / steps,
          (cpu(after) - cpu(before)) / wall};
}

pid_t start_busy_process() {
  pid_t child = fork();
  if (child == 0) {
    for (;;) work(1'000'000);
  }
  return child;
}

std::string to_json(const Figures& figures) {
  return fmt::format(
      R"({{"step_ms": {:.3f}, "sleeps_per_step": {:.2f}, "processors_used": {:.2f}}})",
      figures.step_seconds * 1e3, figures.sleeps_per_step, figures.processors_used);
}

int run(int argc, char** argv) {
  int steps = argc > 1 ? std::atoi(argv[1]) : 1000;
  if (argc > 2 || steps < 1) {
    fmt::print(stderr, "usage: bench_team [STEPS]\n");
    return 2;
  }
  std::size_t threads = available_processors();
  double speed = turns_per_second();
  ThreadTeam pinned(threads, /*pin=*/true), unpinned(threads);
  Figures alone = measure(unpinned, steps, speed);
  std::vector<pid_t> busy;
  for (std::size_t i = 0; i < threads; ++i) busy.push_back(start_busy_process());
  Figures unpinned_beside = measure(unpinned, steps, speed);
  pinned.pin_calling_thread();
  Figures pinned_beside = measure(pinned, steps, speed);
  for (pid_t child : busy) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  Figures pinned_alone = measure(pinned, steps, speed);
  fmt::print(
      "{{\"threads\": {},\n \"pinned\": {},\n \"pinned_beside_busy\": {},\n"
      " \"unpinned\": {},\n \"unpinned_beside_busy\": {},\n"
      " \"slowdown_pinned\": {:.2f}, \"slowdown_unpinned\": {:.2f}}}\n",
      threads, to_json(pinned_alone), to_json(pinned_beside), to_json(alone),
      to_json(unpinned_beside), pinned_beside.step_seconds / pinned_alone.step_seconds,
      unpinned_beside.step_seconds / alone.step_seconds);
  return 0;
}

}  // namespace
}  // namespace chorus

int main(int argc, char** argv) { return chorus::run(argc, argv); }
