#include "limits/machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <exception>
#include <fstream>
#include <thread>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/memory.h"
#include "core/processors.h"
#include "core/thread_team.h"
#include "limits/programs.h"

namespace chorus::limits {
namespace {

constexpr std::size_t kLeastRepetitions = 5;
constexpr std::size_t kCacheLine = 16;  // floats
constexpr std::size_t kEnoughMemory = std::size_t{1} << 30;
constexpr std::size_t kTimesCache = 4;      // to read from memory as good as alone
constexpr std::size_t kTimesAvailable = 2;  // as much as is read: others need memory, too
// Where the system does not say how large the last-level cache is: what fits it, and what does not.
constexpr std::size_t kSmallCache = std::size_t{4} << 20, kLargeCache = std::size_t{64} << 20;

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

// Nothing that a processor's cache may leave out: every page is written, by the member that reads it.
void write_all(ThreadTeam& team, AlignedBuffer<float>& buffer) {
  std::size_t turns = buffer.size() / kReadTurn;
  team.run([&](ThreadTeam::Member& member) {
    Range range = member.share(turns);
    for (std::size_t i = range.begin * kReadTurn; i < range.end * kReadTurn; ++i) {
      buffer[i] = static_cast<float>(i % 1021 + 1);
    }
  });
}

class Measurement {
 public:
  Measurement(std::string_view instructions, std::size_t threads, double seconds)
      : programs_(programs_for(instructions)),
        team_(threads, /*pin=*/true),
        seconds_(seconds),
        results_(threads * kCacheLine) {
    team_.pin_calling_thread();
  }

  // Bytes per second, of a buffer of so many bytes.
  Figure read(std::size_t bytes) {
    AlignedBuffer<float> buffer(std::max<std::size_t>(bytes / sizeof(float) / kReadTurn, 1) *
                                kReadTurn);
    write_all(team_, buffer);
    std::size_t turns = buffer.size() / kReadTurn;
    Figure passes = measure([&](ThreadTeam::Member& member) {
      Range range = member.share(turns);
      return programs_.read(buffer.data() + range.begin * kReadTurn,
                            (range.end - range.begin) * kReadTurn);
    });
    return times(passes, static_cast<double>(buffer.size() * sizeof(float)));
  }

  Figure f32() {
    Figure passes = measure([this](ThreadTeam::Member&) { return programs_.multiply_add(); });
    return times(passes, static_cast<double>(team_.size()) * programs_.multiply_add_operations);
  }

  // None where the processor has no use for it.
  std::optional<Figure> bf16_pairs() {
    if (programs_.multiply_pairs == nullptr) return std::nullopt;
    Figure passes = measure([this](ThreadTeam::Member&) { return programs_.multiply_pairs(); });
    return times(passes, static_cast<double>(team_.size()) * programs_.multiply_pairs_operations);
  }

  // `program` makes so many operations a turn.
  Figure amx(float (*program)(std::size_t turns), double operations) {
    Figure passes = measure([program](ThreadTeam::Member&) { return program(kTurns); });
    return times(passes, static_cast<double>(team_.size() * kTurns) * operations);
  }

  Figure int8() {
    Figure passes = measure([this](ThreadTeam::Member&) { return programs_.dot(); });
    return times(passes, static_cast<double>(team_.size()) * programs_.dot_operations);
  }

 private:
  template <class Program>
  Figure measure(Program program) {
    return passes_per_second(team_, seconds_, [&](ThreadTeam::Member& member) {
      results_[member.index() * kCacheLine] += program(member);
    });
  }

  Programs programs_;
  ThreadTeam team_;
  double seconds_;
  std::vector<float> results_;  // one for each member, so that no program is left out
};

// "32768K" as bytes; 0 for anything else.
std::size_t cache_size(const std::string& text) {
  std::size_t size = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || size > (std::size_t{1} << 30)) return 0;
  if (*end == 'K') return size << 10;
  if (*end == 'M') return size << 20;
  return *end == '\0' ? size : 0;
}

std::string first_line(const std::string& path) {
  std::string line;
  std::ifstream file(path);
  std::getline(file, line);
  return line;
}

}  // namespace

// On a thread of its own, since pinning is for good.
Limits measure(std::string_view instructions, std::size_t threads, const Settings& settings) {
  Limits limits{};
  limits.threads = threads;
  limits.cache_bytes = last_level_cache_bytes();
  std::uint64_t available = available_memory();
  std::size_t memory =
      settings.bytes > 0 ? settings.bytes : memory_to_read(available, limits.cache_bytes);
  std::size_t cached = limits.cache_bytes > 0 ? limits.cache_bytes / 2 : kSmallCache;
  if (settings.bytes > 0) cached = std::min(cached, memory);
  if (memory == 0) {
    cached = std::min<std::uint64_t>(cached, available / kTimesAvailable);
    limits.no_memory_read = fmt::format(
        "not measured, since of {} MiB that are available half may be used, and four "
        "times the cache are needed",
        available >> 20);
  }
  std::exception_ptr failure;
  std::thread([&] {
    try {
      Measurement measurement(instructions, threads, settings.seconds);
      limits.cache_read = measurement.read(cached);
      if (memory > 0) limits.memory_read = measurement.read(memory);
      limits.f32 = measurement.f32();
      limits.int8 = measurement.int8();
      limits.bf16_pairs = measurement.bf16_pairs();
      auto amx = amx_programs_for(instructions);
      if (!amx) {
        limits.no_amx = amx.assume_error().message;
        return;
      }
      limits.amx_int8 = measurement.amx(amx.assume_value().int8, kAmxInt8Operations);
      if (auto bf16 = amx.assume_value().bf16) {
        limits.amx_bf16 = measurement.amx(bf16, kAmxBf16Operations);
      }
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
  return limits;
}

std::size_t memory_to_read(std::uint64_t available, std::size_t cache_bytes) {
  std::size_t least = kTimesCache * (cache_bytes > 0 ? cache_bytes : kLargeCache);
  std::size_t bytes = std::max(kEnoughMemory, least);
  if (available > 0) bytes = std::min<std::uint64_t>(bytes, available / kTimesAvailable);
  return bytes >= least ? bytes : 0;
}

// Linux's own list of the processor's caches. sysconf() is not asked: for AMD's processors it adds
// up caches that no one core can use.
std::size_t last_level_cache_bytes() {
  std::vector<int> processors = processors_in_mask();
  std::string folder = fmt::format("/sys/devices/system/cpu/cpu{}/cache/index",
                                   processors.empty() ? 0 : processors.front());
  std::size_t largest = 0;
  for (int index = 0; index < 16; ++index) {
    std::string cache = folder + std::to_string(index);
    std::string type = first_line(cache + "/type");
    if (type.empty()) break;
    if (type != "Instruction") largest = std::max(largest, cache_size(first_line(cache + "/size")));
  }
  return largest;
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
