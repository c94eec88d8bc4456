#include <fmt/format.h>

#include <array>
#include <cmath>

#include "chorus/sampling.h"

namespace chorus {
namespace {

// Errors: kInvalidArgument unless low <= value <= high.
template <class Number>
Result<void> check_range(const char* field, Number value, Number low, Number high) {
  if (value >= low && value <= high) return ok();
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("{}: {} is not from {} to {}", field, value, low, high)};
}

}  // namespace

const char* random_stream_name(RandomStream stream) {
  switch (stream) {
    case RandomStream::kTorchCpu:
      return "torch-cpu";
    case RandomStream::kTorchCpuMkl:
      return "torch-cpu-mkl";
    case RandomStream::kTorchCuda:
      return "torch-cuda";
  }
  return "unknown";
}

Result<RandomStream> parse_random_stream(std::string_view name) {
  constexpr std::array kStreams{RandomStream::kTorchCpu, RandomStream::kTorchCpuMkl,
                                RandomStream::kTorchCuda};
  for (RandomStream stream : kStreams) {
    if (name == random_stream_name(stream)) return stream;
  }
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("rng: \"{}\" is not one of torch-cpu, torch-cpu-mkl, torch-cuda", name)};
}

const char* sampling_loop_name(SamplingLoop loop) {
  switch (loop) {
    case SamplingLoop::kTalk:
      return "talk";
    case SamplingLoop::kNanoGpt:
      return "nanogpt";
    case SamplingLoop::kTransformers:
      return "transformers";
  }
  return "unknown";
}

Result<SamplingLoop> parse_sampling_loop(std::string_view name) {
  constexpr std::array kLoops{SamplingLoop::kTalk, SamplingLoop::kNanoGpt,
                              SamplingLoop::kTransformers};
  for (SamplingLoop loop : kLoops) {
    if (name == sampling_loop_name(loop)) return loop;
  }
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("loop: \"{}\" is not one of talk, nanogpt, transformers", name)};
}

Result<void> check(const SamplingParams& params) {
  if (!std::isfinite(params.temperature) || params.temperature < 0.0f) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("temperature: {} is not a finite number of at least 0", params.temperature)};
  }
  if (params.top_k < 0) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("top_k: {} is negative (0 keeps the whole vocabulary)", params.top_k)};
  }
  CHORUS_TRY(check_range("top_p", params.top_p, 0.0, 1.0));
  CHORUS_TRY(check_range("min_p", params.min_p, 0.0f, 1.0f));
  CHORUS_TRY(check_range("repetition_penalty", params.repetition_penalty, 1e-3f, 1e3f));
  CHORUS_TRY(check_range("presence_penalty", params.presence_penalty, -100.0f, 100.0f));
  CHORUS_TRY(check_range("frequency_penalty", params.frequency_penalty, -100.0f, 100.0f));
  for (const auto& [id, bias] : params.logit_bias) {
    if (id < 0) {
      return Error{ErrorCode::kInvalidArgument, fmt::format("logit_bias: {} is not an id", id)};
    }
    CHORUS_TRY(check_range("logit_bias", bias, -1000.0f, 1000.0f));
  }
  return ok();
}

}  // namespace chorus
