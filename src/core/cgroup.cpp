#include "core/cgroup.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <vector>

// /proc/self/cgroup has a line "ID:CONTROLLERS:PATH" for each hierarchy; CONTROLLERS is a list with
// commas, empty for v2. /proc/self/mountinfo says where hierarchies are mounted, and the group that
// each mount shows as its root; the fields that matter of a line are
//   ID PARENT DEVICE ROOT MOUNTPOINT ... - TYPE SOURCE OPTIONS
// In a container the groups above ROOT cannot be seen, and under a cgroup namespace PATH is
// relative to it (or climbs out of it: "/../other"). So the mount's own root is always asked, too.

namespace chorus {
namespace {

bool has_word(const std::string& list, const std::string& word) {
  return ("," + list + ",").find("," + word + ",") != std::string::npos;
}

struct Mount {
  std::string root, point, type, options;
};

std::vector<Mount> cgroup_mounts(const std::string& root) {
  std::vector<Mount> mounts;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string skipped, source;
    Mount mount;
    fields >> skipped >> skipped >> skipped >> mount.root >> mount.point;
    while (fields >> skipped && skipped != "-") {
    }
    if (!(fields >> mount.type >> source >> mount.options)) continue;
    if (mount.type == "cgroup" || mount.type == "cgroup2") mounts.push_back(std::move(mount));
  }
  return mounts;
}

// Folders of the group `path` and of those above it that the mount shows, the mount's root last.
std::vector<std::string> folders_of(const Mount& mount, std::string path) {
  std::string shown = mount.root == "/" ? "" : mount.root;
  if (path.compare(0, shown.size(), shown) == 0) path.erase(0, shown.size());
  if (path.find("/..") != std::string::npos) path.clear();
  std::vector<std::string> folders;
  while (path.size() > 1) {
    folders.push_back(mount.point + path);
    path.resize(std::min(path.size(), path.rfind('/')));
  }
  folders.push_back(mount.point);
  return folders;
}

// The first number in a file; empty if there is none ("max").
std::optional<double> number_in(const std::string& path) {
  std::ifstream file(path);
  double number = 0.0;
  if (file >> number) return number;
  return std::nullopt;
}

// The number behind `name` in a file of lines "NAME NUMBER"; 0 if there is none.
double entry_in(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string found;
  for (double number = 0.0; file >> found >> number;) {
    if (found == name) return number;
  }
  return 0.0;
}

std::optional<double> processors_in(const std::string& folder) {
  double quota = 0.0, period = 0.0;
  std::ifstream v2(folder + "/cpu.max");  // "max 100000" or "150000 100000", microseconds
  if (v2 >> quota >> period && quota > 0.0 && period > 0.0) return quota / period;
  quota = number_in(folder + "/cpu.cfs_quota_us").value_or(-1.0);  // -1: no limit
  period = number_in(folder + "/cpu.cfs_period_us").value_or(0.0);
  if (quota > 0.0 && period > 0.0) return quota / period;
  return std::nullopt;
}

struct Memory {
  std::optional<double> limit, left;
  std::optional<double> swap, limit_with_swap;
};

// What is left is the limit less what is used. Pages of files count as used, but give way.
Memory memory_in(const std::string& folder) {
  Memory memory;
  memory.swap = number_in(folder + "/memory.swap.max");
  memory.limit_with_swap = number_in(folder + "/memory.memsw.limit_in_bytes");
  auto keep = [&](const char* limit, const char* usage, const std::string& total) {
    memory.limit = number_in(folder + limit);
    if (!memory.limit) return;
    double used = number_in(folder + usage).value_or(0.0);
    for (const char* files : {"inactive_file", "active_file"}) {
      used -= entry_in(folder + "/memory.stat", total + files);
    }
    memory.left = std::max(0.0, *memory.limit - std::max(0.0, used));
  };
  keep("/memory.max", "/memory.current", "");
  if (!memory.limit) {
    keep("/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_");
  }
  return memory;
}

// v1 writes "no limit" as a number near 2^63: no memory is so large.
std::optional<std::uint64_t> bytes(std::optional<double> memory) {
  if (!memory || *memory >= 0x1p60) return std::nullopt;
  return static_cast<std::uint64_t>(*memory);
}

void keep_least(std::optional<double>& least, std::optional<double> value) {
  if (value) least = std::min(least.value_or(*value), *value);
}

}  // namespace

CgroupLimits cgroup_limits(const std::string& root) {
  std::optional<double> processors;
  Memory memory;
  std::vector<Mount> mounts = cgroup_mounts(root);
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    std::size_t first = line.find(':');
    std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1);
    bool v2 = controllers.empty();
    for (const Mount& mount : mounts) {
      bool cpu = v2 || (has_word(controllers, "cpu") && has_word(mount.options, "cpu"));
      bool mem = v2 || (has_word(controllers, "memory") && has_word(mount.options, "memory"));
      if (v2 != (mount.type == "cgroup2") || (!cpu && !mem)) continue;
      for (const std::string& folder : folders_of(mount, line.substr(second + 1))) {
        if (cpu) keep_least(processors, processors_in(root + folder));
        if (!mem) continue;
        Memory here = memory_in(root + folder);
        keep_least(memory.limit, here.limit);
        keep_least(memory.left, here.left);
        keep_least(memory.swap, here.swap);
        keep_least(memory.limit_with_swap, here.limit_with_swap);
      }
    }
  }
  return {processors, bytes(memory.left), bytes(memory.limit), bytes(memory.swap),
          bytes(memory.limit_with_swap)};
}

}  // namespace chorus
