#include "checkpoint/safetensors/quantised.h"

#include <fmt/format.h>

#include <boost/json/object.hpp>

#include "core/error_text.h"
#include "core/printable.h"
#include "json/fields.h"
#include "json/parse.h"
#include "kernels/panels.h"

namespace chorus::checkpoint {
namespace {

using Shape = std::vector<std::int64_t>;

constexpr const char* kScales = ".scales";
constexpr const char* kCommon = ".common";
constexpr const char* kShares = ".shares";
constexpr std::int64_t kPanel = kernels::kPanelWidth;
constexpr std::int64_t kGroup = kernels::kGroup;

struct LayoutField {
  const char* name;
  std::int64_t value;
};
constexpr LayoutField kLayout[] = {
    {"version", 1}, {"panel", kPanel}, {"int8_group", kGroup}, {"int4_group", kGroup}};

// Passes over the outputs of a panel that make a group: four bytes of each output.
std::int64_t passes_of_group(NumberFormat format) {
  static_assert(block_numbers(NumberFormat::kInt8) == kGroup);
  static_assert(block_numbers(NumberFormat::kInt4) == kGroup);
  return static_cast<std::int64_t>(format == NumberFormat::kInt8 ? kernels::kInt8Passes
                                                                 : kernels::kInt4Passes);
}

Result<void> check_layout(const std::string& text) {
  CHORUS_TRY(boost::json::object layout, parse_json_object(text));
  JsonFields fields(layout);
  for (const LayoutField& field : kLayout) {
    std::int64_t found = 0;
    fields.require(field.name, "a whole number");
    fields.read(field.name, found);
    if (auto error = fields.error()) return corrupt("field " + error->message());
    if (found != field.value) {
      return Error{
          ErrorCode::kUnsupported,
          fmt::format("field '{}' is {}; this program reads {}: convert the original again",
                      field.name, found, field.value)};
    }
  }
  return ok();
}

Result<void> check_shape(const std::string& name, const Shape& found, const Shape& expected) {
  if (found == expected) return ok();
  return corrupt("tensor " + in_quotes(name) + " has the wrong shape: found " + shape_text(found) +
                 ", expected " + shape_text(expected));
}

Result<void> check_alignment(const std::string& name, std::span<const std::byte> data,
                             const Bytes& bytes) {
  auto place = static_cast<std::size_t>(data.data() - bytes.data.data());
  if (place % kFileAlignment == 0) return ok();
  return corrupt(fmt::format("tensor {} begins at byte {} of the file; expected a multiple of {}",
                             in_quotes(name), place, kFileAlignment));
}

std::optional<Tensor> find(const SafetensorsContent& content, const std::string& name) {
  auto found = content.tensors.find(name);
  return found == content.tensors.end() ? std::nullopt : std::optional(found->second);
}

// The matrix whose weights are `stored`, with its scales.
Result<RawQuantised> take_matrix(const std::string& name, NumberFormat type,
                                 const ByteTensor& stored, const Tensor& scales,
                                 const Bytes& bytes) {
  std::string weights_name = name + "." + number_format_name(type);
  if (stored.shape.size() != 5) {
    return corrupt("tensor " + in_quotes(weights_name) + " has the wrong shape: found " +
                   shape_text(stored.shape) + ", expected [panels, groups, " +
                   std::to_string(passes_of_group(type)) + ", 32, 4]");
  }
  RawQuantised matrix{type, stored.shape[0], stored.shape[1], stored.data, scales.data, {}, {}};
  CHORUS_TRY(check_shape(weights_name, stored.shape,
                         {matrix.panels, matrix.groups, passes_of_group(type), kPanel, 4}));
  CHORUS_TRY(check_shape(name + kScales, scales.shape, {matrix.panels, matrix.groups, kPanel}));
  if (scales.dtype != NumberFormat::kBf16) {
    return corrupt("tensor " + in_quotes(name + kScales) + " is of type " +
                   number_format_name(scales.dtype) + "; expected bf16");
  }
  CHORUS_TRY(check_alignment(weights_name, stored.data, bytes));
  CHORUS_TRY(check_alignment(name + kScales, scales.data, bytes));
  return matrix;
}

}  // namespace

Shape weights_shape(const QuantisedMatrix& matrix) {
  return {matrix.panels, matrix.groups, passes_of_group(matrix.type), kPanel, 4};
}

Shape scales_shape(const QuantisedMatrix& matrix) { return {matrix.panels, matrix.groups, kPanel}; }

QuantisedMatrix empty_quantised(NumberFormat type, std::int64_t outputs, std::int64_t inputs) {
  QuantisedMatrix matrix;
  matrix.type = type;
  matrix.panels =
      static_cast<std::int64_t>(kernels::panel_count(static_cast<std::size_t>(outputs)));
  matrix.groups = static_cast<std::int64_t>(kernels::group_count(static_cast<std::size_t>(inputs)));
  matrix.outputs = outputs;
  matrix.inputs = inputs;
  return matrix;
}

std::string quantised_metadata() {
  std::string text;
  for (const LayoutField& field : kLayout) {
    text += fmt::format("{}\"{}\": {}", text.empty() ? "{" : ", ", field.name, field.value);
  }
  return text + "}";
}

Result<void> take_quantised(SafetensorsContent& content, const Bytes& bytes, RawCheckpoint& raw) {
  auto metadata = content.metadata.find(kQuantised);
  if (metadata == content.metadata.end()) return ok();
  std::string place = fmt::format("{}: metadata {}", bytes.name, kQuantised);
  CHORUS_TRY(in_place(check_layout(metadata->second), place));
  for (NumberFormat type : {NumberFormat::kInt8, NumberFormat::kInt4}) {
    std::string suffix = std::string(".") + number_format_name(type);
    for (const auto& [stored_name, stored] : content.byte_tensors) {
      if (!stored_name.ends_with(suffix)) continue;
      std::string name = stored_name.substr(0, stored_name.size() - suffix.size());
      auto scales = content.tensors.find(name + kScales);
      if (scales == content.tensors.end()) {
        return corrupt(bytes.name + ": missing tensor " + in_quotes(name + kScales) +
                       ", the scales of " + in_quotes(stored_name));
      }
      CHORUS_TRY(RawQuantised matrix,
                 in_place(take_matrix(name, type, stored, scales->second, bytes), bytes.name));
      matrix.common = find(content, name + kCommon);
      matrix.shares = find(content, name + kShares);
      if (!raw.quantised.emplace(name, matrix).second) {
        return corrupt(bytes.name + ": matrix " + in_quotes(name) +
                       " is there twice, as int8 and as int4");
      }
      content.other_tensors.erase(stored_name);
    }
  }
  for (const auto& [name, matrix] : raw.quantised) {
    content.tensors.erase(name + kScales);
    content.tensors.erase(name + kCommon);
    content.tensors.erase(name + kShares);
  }
  return ok();
}

}  // namespace chorus::checkpoint
