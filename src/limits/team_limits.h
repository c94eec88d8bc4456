// What a team of threads can do at most, with memory that is there anyway: measured in passes of a few
// milliseconds, between the team's other work. Not a measurement of Chorus. (machine.h has threads and memory of its
// own, and takes seconds.)
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

#include "chorus/number_format.h"
#include "core/thread_team.h"

namespace chorus::limits {

struct TeamLimits {
  double reads;       // of all of the memory, per second
  double operations;  // multiplications and additions for weights of the format, per second
};

// Runs its argument on every member of a team and tells how many seconds that took; nothing if the team has
// other work.
using RunOnTeam =
    std::function<std::optional<double>(const std::function<void(ThreadTeam::Member&)>&)>;

// The best of passes that take about `seconds` for each of the two, and are at least four. Nothing if the team
// has had other work meanwhile, or there is no memory to read. `instructions` as kernels::Kernels::name has them.
std::optional<TeamLimits> measure_team(const RunOnTeam& run, std::string_view instructions,
                                       NumberFormat weights,
                                       std::span<const std::span<const std::byte>> memory,
                                       double seconds);

}  // namespace chorus::limits
