// What the control groups (cgroups, v1 and v2, Linux only) that this process is in allow it. Knows
// nothing of what the machine has: processors.h and memory.h put the two together. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace chorus {

// The least of what this process's groups and all groups above them allow; empty: no limit.
struct CgroupLimits {
  std::optional<double> processors;          // processors' worth of time, as a share of real time
  std::optional<std::uint64_t> memory;       // bytes that are left to be allotted
  std::optional<std::uint64_t> most_memory;  // bytes, those in use included
  std::optional<std::uint64_t> most_swap;    // bytes beside these (v2)
  std::optional<std::uint64_t> most_memory_and_swap;  // bytes of both together (v1)
};

// `root` stands before every path that is read ("/proc/self/cgroup" and so on): for tests.
CgroupLimits cgroup_limits(const std::string& root = {});

}  // namespace chorus
