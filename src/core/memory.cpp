#include "core/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>

#include "core/cgroup.h"

namespace chorus {

std::uint64_t available_memory(const std::string& root) {
  std::uint64_t available = 0;
  std::ifstream meminfo(root + "/proc/meminfo");
  std::string name;
  for (std::uint64_t kibibytes = 0; meminfo >> name >> kibibytes;) {
    if (name == "MemAvailable:") available = kibibytes * 1024;
    meminfo.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::min(available, cgroup_limits(root).memory.value_or(available));
}

}  // namespace chorus
