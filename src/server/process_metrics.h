// What Prometheus's own clients tell of the process, by the same names (process_cpu_seconds_total,
// process_resident_memory_bytes, ...), and which build it is (chorus_build_info). From /proc: where
// there is none, these are left out.
//
// Thread contract: any thread.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace chorus::server {

std::vector<prometheus::MetricFamily> collect_process();

}  // namespace chorus::server
