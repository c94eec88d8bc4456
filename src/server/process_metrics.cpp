#include "server/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>

namespace chorus::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily one(const char* name, const char* help, MetricType type, double value) {
  ClientMetric metric;
  metric.gauge.value = value;
  metric.counter.value = value;
  return {name, help, type, {std::move(metric)}};
}

MetricFamily build_info() {
  MetricFamily family = one("chorus_build_info", "Always 1; the labels say which build this is",
                            MetricType::Gauge, 1.0);
  family.metric.front().label = {{"version", CHORUS_VERSION}, {"compiler", __VERSION__}};
  return family;
}

// Of /proc/self/stat, behind the program's name, which may hold anything.
struct Stat {
  double user_ticks = 0, system_ticks = 0, threads = 0, start_ticks = 0, bytes = 0, pages = 0;
};

std::optional<Stat> read_stat() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  if (!std::getline(file, text) || text.rfind(')') == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  Stat stat;
  std::string skipped;
  for (int field = 3; field <= 13; ++field) fields >> skipped;
  fields >> stat.user_ticks >> stat.system_ticks;
  for (int field = 16; field <= 19; ++field) fields >> skipped;
  fields >> stat.threads >> skipped >> stat.start_ticks >> stat.bytes >> stat.pages;
  if (!fields) return std::nullopt;
  return stat;
}

// Seconds since 1970 at which this machine started.
std::optional<double> boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;) {
    double seconds = 0;
    if (word == "btime" && file >> seconds) return seconds;
  }
  return std::nullopt;
}

std::optional<double> open_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return std::nullopt;
  double count = -3.0;  // ".", ".." and this folder's own
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

}  // namespace

std::vector<MetricFamily> collect_process() {
  std::vector<MetricFamily> families = {build_info()};
  auto add = [&families](const char* name, const char* help, MetricType type, double value) {
    families.push_back(one(name, help, type, value));
  };
  if (auto stat = read_stat()) {
    auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    add("process_cpu_seconds_total", "Processor time of this process", MetricType::Counter,
        (stat->user_ticks + stat->system_ticks) / ticks);
    add("process_resident_memory_bytes", "Memory of this process that is present",
        MetricType::Gauge, stat->pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
    add("process_virtual_memory_bytes", "Addresses of this process", MetricType::Gauge,
        stat->bytes);
    add("process_threads", "Threads of this process", MetricType::Gauge, stat->threads);
    if (auto boot = boot_time()) {
      add("process_start_time_seconds", "When this process began, in seconds since 1970",
          MetricType::Gauge, *boot + stat->start_ticks / ticks);
    }
  }
  if (auto count = open_descriptors()) {
    add("process_open_fds", "Descriptors that are open", MetricType::Gauge, *count);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    add("process_max_fds", "Descriptors that may be open", MetricType::Gauge,
        static_cast<double>(limit.rlim_cur));
  }
  return families;
}

}  // namespace chorus::server
