// What this machine can do at most, to divide measurements by. It takes seconds and all threads.
// Nothing here is a measurement of Chorus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace chorus::limits {

struct Figure {
  double best, median;  // of the repetitions
};

struct Limits {
  std::size_t threads;
  std::size_t cache_bytes;  // of the last-level cache; 0 if the system does not say
  Figure cache_read;        // bytes per second, of what fits the last-level cache
  // The same, of far more than that; none if there is no memory for it, and why.
  std::optional<Figure> memory_read;
  Figure f32;   // fused multiply-adds, counted as two operations: operations per second
  Figure int8;  // products of bytes added to 32-bit sums, the same
  // The same and products of bf16 by AMX; none where it is not used, and why.
  std::optional<Figure> amx_int8 = {}, amx_bf16 = {};
  std::string no_amx = {}, no_memory_read = {};
  // Pairs of bf16 multiplied and added to f32 sums, where vectors do that faster than f32.
  std::optional<Figure> bf16_pairs = {};

  const Figure& best_int8() const { return amx_int8 ? *amx_int8 : int8; }
  const Figure& best_bf16() const { return amx_bf16 ? *amx_bf16 : bf16_pairs ? *bf16_pairs : f32; }

  // Where weights of so many bytes lie when they are read over and over, and how fast that can be;
  // none if that was not measured.
  bool fits_cache(std::uint64_t bytes) const { return bytes <= cache_bytes; }
  std::optional<Figure> read(std::uint64_t bytes) const {
    return fits_cache(bytes) ? cache_read : memory_read;
  }
};

struct Settings {
  // Read over and over for memory_read. 0: 1 GiB, or four times the last-level cache if that is more,
  // but at most half of the memory that is available; memory is not measured if that is less than four
  // times the cache.
  std::size_t bytes = 0;
  double seconds = 1.0;  // for each figure
};

// With `threads` threads, each pinned to a processor if there are enough. `instructions` as
// kernels::Kernels::name has them. Throws std::bad_alloc.
//
// All that is read was written before: memory that nobody wrote is one page of zeros to the system,
// and reading it measures the first-level cache.
Limits measure(std::string_view instructions, std::size_t threads, const Settings& settings);

// As Settings says of 0 bytes, with so much memory available (0: not known); 0 if that is too little.
std::size_t memory_to_read(std::uint64_t available, std::size_t cache_bytes);

// Of the processor's largest cache that holds data, as the first processor of this process sees it;
// 0 if the system does not say.
std::size_t last_level_cache_bytes();

// As the processor calls itself ("AMD EPYC 9R14"); "unknown" if the system does not say.
std::string processor_name();

}  // namespace chorus::limits
