// What this machine can do at most, to divide measurements by. It takes seconds and all threads.
// Nothing here is a measurement of Chorus.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace chorus::limits {

struct Figure {
  double best, median;  // of the repetitions
};

struct Limits {
  std::size_t threads;
  Figure read;  // bytes per second
  Figure f32;   // fused multiply-adds, counted as two operations: operations per second
  Figure int8;  // products of bytes added to 32-bit sums, the same
};

struct Settings {
  std::size_t bytes = std::size_t{1} << 30;  // read over and over; what fits a cache measures that
  double seconds = 1.0;                      // for each figure
};

// With `threads` threads, each pinned to a processor if there are enough. `instructions` as
// kernels::Kernels::name has them. Throws std::bad_alloc.
Limits measure(std::string_view instructions, std::size_t threads, const Settings& settings);

// As the processor calls itself ("AMD EPYC 9R14"); "unknown" if the system does not say.
std::string processor_name();

}  // namespace chorus::limits
