// What `chorus bench` measures, and what it is held against. Plain data and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "limits/machine.h"

namespace chorus::cli {

// One line of the result: streams that read their prompts ("pp") or generate ("tg") at once.
struct BenchResult {
  std::string test;
  NumberFormat dtype = NumberFormat::kF32;  // of the weights in memory
  std::size_t threads = 0;
  std::size_t streams = 0;
  std::int32_t prompt_tokens = 0;  // of each stream
  std::int32_t new_tokens = 0;     // of each stream
  std::vector<double> rates = {};  // tokens per second of all streams together, one for each round
  // Tokens per second that the machine allows; none if that was not measured.
  std::optional<double> limit = {};
  bool weights_in_cache = false;  // whether the last-level cache can hold all of them
};

struct BenchMachine {
  std::string processor;
  std::size_t cores;                   // that this process may use
  std::string instructions;            // of the kernels
  std::vector<limits::Limits> limits;  // one for each number of threads
};

double mean(const std::vector<double>& values);  // 0 of none
// Of a sample: divided by n - 1. 0 of fewer than two.
double standard_deviation(const std::vector<double>& values);
std::optional<double> share_of_limit(const BenchResult& result);  // the mean's

// Multiplications and additions of the matrix products for one token: 2 for each weight of the
// layers, and of the vocabulary's head for a token that is sampled from. What attention and the
// rest take is left out, so the shares are, if anything, too small.
double operations_per_token(const checkpoint::ModelConfig& config, bool with_head);

// Tokens per second. A prompt is held against the arithmetic peak. Generation also reads all
// weights once a step, which gives a token to every stream: the smaller of the two counts. The peak
// is int8's for weights of int8 and int4, bf16's for bf16 (AMX's, where it is used), else f32's.
double prompt_limit(const checkpoint::ModelConfig& config, NumberFormat dtype,
                    const limits::Limits& limits);
std::optional<double> generation_limit(const checkpoint::ModelConfig& config, NumberFormat dtype,
                                       std::uint64_t weight_bytes, std::size_t streams,
                                       const limits::Limits& limits);

}  // namespace chorus::cli
