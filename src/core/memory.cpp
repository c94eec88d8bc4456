#include "core/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string_view>

#include "core/cgroup.h"

namespace chorus {

namespace {

constexpr const char* kAddressSpace = "ulimit -v";
constexpr const char* kData = "ulimit -d";

// Bytes in a file of lines "NAME: 123 kB" of /proc; 0 if there is no such line.
std::uint64_t kibibytes_in(const std::string& path, std::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name))
      return std::strtoull(line.c_str() + name.size(), nullptr, 10) * 1024;
  }
  return 0;
}

std::uint64_t machine_memory(const std::string& root, std::string_view name) {
  return kibibytes_in(root + "/proc/meminfo", name);
}

std::uint64_t own_memory(const std::string& root, std::string_view name) {
  return kibibytes_in(root + "/proc/self/status", name);
}

// A limit of this process, from a line "Max data size   SOFT   HARD   bytes"; empty: "unlimited".
std::optional<std::uint64_t> own_limit(const std::string& root, std::string_view name) {
  std::ifstream file(root + "/proc/self/limits");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name)) continue;
    std::size_t digit = line.find_first_not_of(' ', name.size());
    if (digit == std::string::npos || line[digit] < '0' || line[digit] > '9') return std::nullopt;
    return std::strtoull(line.c_str() + digit, nullptr, 10);
  }
  return std::nullopt;
}

struct OwnLimit {
  std::uint64_t limit, used;
  const char* name;
  std::uint64_t left() const { return limit - std::min(limit, used); }
};

// The one that leaves least.
std::optional<OwnLimit> own_limit(const std::string& root) {
  std::optional<OwnLimit> least;
  auto look_at = [&](const char* line, const char* used, const char* name) {
    auto limit = own_limit(root, line);
    if (!limit) return;
    OwnLimit here{*limit, own_memory(root, used), name};
    if (!least || here.left() < least->left()) least = here;
  };
  look_at("Max address space", "VmSize:", kAddressSpace);
  look_at("Max data size", "VmData:", kData);
  return least;
}

}  // namespace

std::uint64_t available_memory(const std::string& root) {
  std::uint64_t available = machine_memory(root, "MemAvailable:");
  available = std::min(available, cgroup_limits(root).memory.value_or(available));
  if (auto own = own_limit(root)) available = std::min(available, own->left());
  return available;
}

MemoryBound memory_bound(const std::string& root) {
  MemoryBound bound{machine_memory(root, "MemTotal:"), "the machine"};
  if (bound.bytes == 0) return {};
  auto keep_least = [&bound](std::uint64_t bytes, const char* of) {
    if (bytes < bound.bytes) bound = {bytes, of};
  };
  constexpr const char* kGroup = "its control group";
  CgroupLimits group = cgroup_limits(root);
  if (group.most_memory) keep_least(*group.most_memory, kGroup);
  std::uint64_t swap = machine_memory(root, "SwapTotal:");
  bound.bytes += std::min(swap, group.most_swap.value_or(swap));
  if (group.most_memory_and_swap) keep_least(*group.most_memory_and_swap, kGroup);
  if (auto own = own_limit(root)) keep_least(own->limit, own->name);
  return bound;
}

std::optional<MemoryBound> mappable_memory(const std::string& root) {
  auto own = own_limit(root);
  if (!own) return std::nullopt;
  return MemoryBound{own->left(), own->name};
}

std::string describe_memory(const std::string& root) {
  if (auto own = own_limit(root)) {
    return fmt::format("this process may map {} ({}), and has mapped {}",
                       megabytes_text(own->limit), own->name, megabytes_text(own->used));
  }
  MemoryBound bound = memory_bound(root);
  if (bound.bytes == 0) return "how much this process may have is not known";
  return fmt::format("this process may have {} ({}), and has {}", megabytes_text(bound.bytes),
                     bound.of, megabytes_text(own_memory(root, "VmRSS:")));
}

std::uint64_t private_memory(const std::string& root) { return own_memory(root, "RssAnon:"); }

std::string megabytes_text(std::uint64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) * 1e-6);
}

}  // namespace chorus
