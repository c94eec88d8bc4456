#include "core/memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string_view>

#include "core/cgroup.h"

namespace chorus {

namespace {

// Bytes; 0 if there is no such line.
std::uint64_t machine_memory(const std::string& root, std::string_view line) {
  std::ifstream meminfo(root + "/proc/meminfo");
  std::string name;
  for (std::uint64_t kibibytes = 0; meminfo >> name >> kibibytes;) {
    if (name == line) return kibibytes * 1024;
    meminfo.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

}  // namespace

std::uint64_t available_memory(const std::string& root) {
  std::uint64_t available = machine_memory(root, "MemAvailable:");
  return std::min(available, cgroup_limits(root).memory.value_or(available));
}

std::uint64_t most_memory(const std::string& root) {
  std::uint64_t most = machine_memory(root, "MemTotal:");
  if (most == 0) return 0;
  return std::min(most, cgroup_limits(root).most_memory.value_or(most)) +
         machine_memory(root, "SwapTotal:");
}

}  // namespace chorus
