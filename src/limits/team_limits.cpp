#include "limits/team_limits.h"

#include <algorithm>
#include <cstdint>

#include "limits/programs.h"

namespace chorus::limits {
namespace {

constexpr int kLeastPasses = 4;
constexpr double kPass = 2e-3;  // seconds that a pass should take, if the work is smaller than that
constexpr double kMostTurns = 1e4;
constexpr std::size_t kTurnBytes = kReadTurn * sizeof(float);

// How often a second the team does `work` at best.
std::optional<double> best_rate(const RunOnTeam& run, double seconds,
                                const std::function<void(ThreadTeam::Member&)>& work) {
  double best = 0.0;
  std::size_t turns = 1;
  int passes = 0;
  for (double left = seconds; left > 0.0 || passes < kLeastPasses; ++passes) {
    std::optional<double> taken = run([&work, turns](ThreadTeam::Member& member) {
      for (std::size_t turn = 0; turn < turns; ++turn) work(member);
    });
    if (!taken) return std::nullopt;
    best = std::max(best, static_cast<double>(turns) / std::max(*taken, 1e-9));
    left -= *taken;
    turns = static_cast<std::size_t>(std::clamp(kPass * best, 1.0, kMostTurns));
  }
  return best;
}

// A member's share of a part of the memory, as `read` takes it: less than a kilobyte of each part is left out.
std::span<const float> share_of(const ThreadTeam::Member& member, std::span<const std::byte> part) {
  constexpr std::size_t kAlignment = 64;
  std::size_t skipped = -reinterpret_cast<std::uintptr_t>(part.data()) % kAlignment;
  if (part.size() < skipped + kTurnBytes) return {};
  Range turns = member.share((part.size() - skipped) / kTurnBytes);
  auto begin = reinterpret_cast<const float*>(part.data() + skipped + turns.begin * kTurnBytes);
  return {begin, (turns.end - turns.begin) * kReadTurn};
}

}  // namespace

std::optional<TeamLimits> measure_team(const RunOnTeam& run, std::string_view instructions,
                                       NumberFormat weights,
                                       std::span<const std::span<const std::byte>> memory,
                                       double seconds) {
  bool has_memory = std::any_of(memory.begin(), memory.end(),
                                [](auto part) { return part.size() >= 2 * kTurnBytes; });
  if (!has_memory) return std::nullopt;
  Programs programs = programs_for(instructions);
  auto reads = best_rate(run, seconds, [&](ThreadTeam::Member& member) {
    for (std::span<const std::byte> part : memory) {
      std::span<const float> share = share_of(member, part);
      if (!share.empty()) [[maybe_unused]]
        volatile float read = programs.read(share.data(), share.size());
    }
  });
  if (!reads) return std::nullopt;
  Arithmetic arithmetic = arithmetic_for(instructions, weights);
  std::size_t members = 1;
  auto calls = best_rate(run, seconds, [&](ThreadTeam::Member& member) {
    if (member.index() == 0) members = member.count();
    [[maybe_unused]] volatile float result = arithmetic.program();
  });
  if (!calls) return std::nullopt;
  return TeamLimits{*reads, *calls * static_cast<double>(members) * arithmetic.operations};
}

}  // namespace chorus::limits
