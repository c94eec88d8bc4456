// How many processors this process may use, as the kernel's affinity mask and cgroups say.

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "core/thread_team.h"

namespace chorus {
namespace {

// Processors' worth of time that the files of one cgroup folder allow; empty if they set no limit.
std::optional<double> quota_in(const std::string& folder) {
  double quota = 0.0, period = 0.0;
  std::ifstream v2(folder + "/cpu.max");  // "max 100000" or "150000 100000"
  if (v2 >> quota >> period && quota > 0.0 && period > 0.0) return quota / period;
  std::ifstream v1_quota(folder + "/cpu.cfs_quota_us"), v1_period(folder + "/cpu.cfs_period_us");
  if (v1_quota >> quota && v1_period >> period && quota > 0.0 && period > 0.0) {
    return quota / period;
  }
  return std::nullopt;
}

// The least quota from this process's cgroup up to the root; lines of /proc/self/cgroup are
// "ID:CONTROLLERS:PATH".
std::optional<double> cgroup_quota() {
  std::optional<double> least;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    std::size_t first = line.find(':');
    std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1);
    bool v1_cpu = ("," + controllers + ",").find(",cpu,") != std::string::npos;
    if (!controllers.empty() && !v1_cpu) continue;
    std::string root = controllers.empty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    std::string path = line.substr(second + 1);
    for (;;) {
      std::optional<double> quota = quota_in(root + (path == "/" ? "" : path));
      if (quota) least = std::min(least.value_or(*quota), *quota);
      std::size_t slash = path.rfind('/');
      if (path.empty() || slash == std::string::npos) break;
      path.resize(slash);
    }
  }
  return least;
}

}  // namespace

std::size_t available_processors() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  std::size_t count = std::max(1u, std::thread::hardware_concurrency());
  if (::sched_getaffinity(0, sizeof(mask), &mask) == 0) {
    count = std::max<std::size_t>(1, static_cast<std::size_t>(CPU_COUNT(&mask)));
  }
  if (std::optional<double> quota = cgroup_quota()) {
    count = std::min(count, std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(*quota))));
  }
  return count;
}

}  // namespace chorus
