// What a Checkpoint says of all its tensors together. Pure.
#include "checkpoint/checkpoint.h"

#include <algorithm>

#include "checkpoint/safetensors/write.h"

namespace chorus::checkpoint {

namespace {

struct OriginName {
  Origin origin;
  const char* name;
};

constexpr OriginName kOriginNames[] = {{Origin::kTalk, "talk"},
                                       {Origin::kNanoGpt, "nanogpt"},
                                       {Origin::kTransformers, "transformers"}};

}  // namespace

const char* origin_name(Origin origin) {
  for (const OriginName& known : kOriginNames) {
    if (known.origin == origin) return known.name;
  }
  return "";
}

std::optional<Origin> parse_origin(std::string_view name) {
  for (const OriginName& known : kOriginNames) {
    if (known.name == name) return known.origin;
  }
  return std::nullopt;
}

const char* value_source_name(ValueSource source) {
  switch (source) {
    case ValueSource::kStated:
      return "stated";
    case ValueSource::kOfKind:
      return "of its kind";
    case ValueSource::kDerived:
      return "derived";
    case ValueSource::kAssumed:
      return "assumed";
    case ValueSource::kOption:
      return "option";
  }
  return "";
}

std::int64_t Checkpoint::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : tensors) count += tensor.element_count();
  for (const auto& [name, matrix] : quantised) count += matrix.outputs * matrix.inputs;
  return count;
}

std::optional<NumberFormat> quantised_format(const Checkpoint& checkpoint) {
  if (checkpoint.quantised.empty()) return std::nullopt;
  bool has_int4 = std::ranges::any_of(checkpoint.quantised, [](const auto& item) {
    return item.second.type == NumberFormat::kInt4;
  });
  return has_int4 ? NumberFormat::kInt4 : NumberFormat::kInt8;
}

NumberFormat common_dtype(const Checkpoint& checkpoint) {
  if (checkpoint.tensors.empty()) return NumberFormat::kF32;
  NumberFormat first = checkpoint.tensors.begin()->second.dtype;
  bool is_common = std::ranges::all_of(
      checkpoint.tensors, [first](const auto& item) { return item.second.dtype == first; });
  return is_common ? first : NumberFormat::kF32;
}

}  // namespace chorus::checkpoint
