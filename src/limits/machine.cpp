#include "limits/machine.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/thread_team.h"
#include "limits/programs.h"

namespace chorus::limits {
namespace {

constexpr std::size_t kLeastRepetitions = 5;
constexpr std::size_t kCacheLine = 16;  // floats

// How often a second the whole team does `work`.
template <class Work>
Figure passes_per_second(ThreadTeam& team, double seconds, Work work) {
  using Clock = std::chrono::steady_clock;
  auto pass = [&] {
    auto start = Clock::now();
    team.run(work);
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  pass();  // warms caches and clocks
  std::vector<double> rates;
  for (double left = seconds; left > 0.0 || rates.size() < kLeastRepetitions;) {
    double taken = pass();
    rates.push_back(1.0 / taken);
    left -= taken;
  }
  std::sort(rates.begin(), rates.end());
  return {rates.back(), rates[rates.size() / 2]};
}

Figure times(Figure figure, double factor) {
  return {figure.best * factor, figure.median * factor};
}

Limits measure_here(std::string_view instructions, std::size_t threads,
                    const AlignedBuffer<float>& buffer, double seconds) {
  Programs programs = programs_for(instructions);
  ThreadTeam team(threads, /*pin=*/true);
  team.pin_calling_thread();
  std::size_t turns = buffer.size() / kReadTurn;
  std::vector<float> results(threads * kCacheLine);
  auto measure_one = [&](auto program) {
    return passes_per_second(team, seconds, [&](ThreadTeam::Member& member) {
      results[member.index() * kCacheLine] += program(member);
    });
  };
  Figure read = measure_one([&](ThreadTeam::Member& member) {
    Range range = member.share(turns);
    return programs.read(buffer.data() + range.begin * kReadTurn,
                         (range.end - range.begin) * kReadTurn);
  });
  Figure f32 = measure_one([&](ThreadTeam::Member&) { return programs.multiply_add(); });
  Figure int8 = measure_one([&](ThreadTeam::Member&) { return programs.dot(); });
  auto count = static_cast<double>(threads);
  return {threads, times(read, static_cast<double>(buffer.size() * sizeof(float))),
          times(f32, count * programs.multiply_add_operations),
          times(int8, count * programs.dot_operations)};
}

}  // namespace

// On a thread of its own, since pinning is for good.
Limits measure(std::string_view instructions, std::size_t threads, const Settings& settings) {
  AlignedBuffer<float> buffer(settings.bytes / sizeof(float) / kReadTurn * kReadTurn);
  Limits limits{};
  std::thread([&] {
    limits = measure_here(instructions, threads, buffer, settings.seconds);
  }).join();
  return limits;
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace chorus::limits
