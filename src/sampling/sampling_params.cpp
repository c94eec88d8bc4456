#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>
#include <type_traits>
#include <utility>

#include "chorus/request.h"
#include "sampling/sampling_fields.h"

namespace chorus {
namespace {

// A visitor of sampling_fields.h: keeps the first number that is not in its range.
struct RangeCheck {
  std::optional<Error> error = {};

  template <class Number>
  void number(const sampling::NumberField<Number>& field, Number value) {
    bool is_finite = std::is_integral_v<Number> || std::isfinite(value);
    if (error || (is_finite && value >= field.low && value <= field.high)) return;
    error = Error{ErrorCode::kInvalidArgument,
                  fmt::format("{}: {} is not {}", field.name, value, range_text(field))};
  }
  void word(const sampling::WordField&, RandomStream) {}
  void word(const sampling::WordField&, const std::optional<SamplingLoop>&) {}
  void seed(const sampling::Field&, std::uint64_t) {}
};

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

const char* past_block_name(PastBlock past_block) {
  return past_block == PastBlock::kCrop ? "crop" : "refuse";
}

Result<PastBlock> parse_past_block(std::string_view name) {
  for (PastBlock past_block : {PastBlock::kRefuse, PastBlock::kCrop}) {
    if (name == past_block_name(past_block)) return past_block;
  }
  return Error{ErrorCode::kInvalidArgument,
               fmt::format("past_block: \"{}\" is not one of refuse, crop", name)};
}

Result<void> check(const SamplingParams& params) {
  RangeCheck ranges;
  sampling::visit_sampling_params(params, ranges);
  if (ranges.error) return std::move(*ranges.error);
  for (const auto& [id, bias] : params.logit_bias) {
    if (id < 0) {
      return Error{ErrorCode::kInvalidArgument, fmt::format("logit_bias: {} is not an id", id)};
    }
    if (bias >= -1000.0f && bias <= 1000.0f) continue;
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("logit_bias: {} is not a number from -1000 to 1000", bias)};
  }
  return ok();
}

}  // namespace chorus
