#include "core/processors.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "core/cgroup.h"

namespace chorus {
namespace {

// Package and core of a processor; of its own if the system does not say.
std::pair<int, int> core_of(int processor) {
  std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(processor) + "/topology/";
  std::ifstream package_file(folder + "physical_package_id"), core_file(folder + "core_id");
  int package = 0, core = 0;
  if (package_file >> package && core_file >> core) return {package, core};
  return {-1, processor};
}

}  // namespace

std::vector<int> processors_in_mask() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (::sched_getaffinity(0, sizeof(mask), &mask) != 0) return {};
  std::map<std::pair<int, int>, int> seen;  // processors of each core
  std::vector<std::pair<int, int>> ranked;  // (which one of its core, processor)
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(static_cast<std::size_t>(processor), &mask)) continue;
    ranked.emplace_back(seen[core_of(processor)]++, processor);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<int> processors;
  for (auto [rank, processor] : ranked) processors.push_back(processor);
  return processors;
}

std::size_t available_processors() {
  std::size_t count = processors_in_mask().size();
  if (count == 0) count = std::max(1u, std::thread::hardware_concurrency());
  if (std::optional<double> quota = cgroup_limits().processors) {
    count = std::min(count, std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(*quota))));
  }
  return count;
}

}  // namespace chorus
