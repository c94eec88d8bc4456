#include "checkpoint/safetensors/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "checkpoint/little_endian.h"
#include "core/error_text.h"
#include "core/printable.h"
#include "json/parse.h"

namespace chorus::checkpoint {
namespace {

namespace json = boost::json;

constexpr std::size_t kLengthSize = 8;
constexpr std::uint64_t kLargestHeader = 100'000'000;  // as Hugging Face's reader has it
constexpr std::size_t kLargestRank = 8;

// Bytes of one element of the other types that the format knows; empty for one that we do not.
std::optional<std::int64_t> other_type_size(std::string_view type) {
  struct Entry {
    std::string_view name;
    std::int64_t size;
  };
  constexpr Entry kTypes[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1},
                              {"U16", 2},  {"I16", 2}, {"U32", 4}, {"I32", 4},     {"U64", 8},
                              {"I64", 8},  {"F64", 8}, {"C64", 8}};
  for (const Entry& entry : kTypes) {
    if (entry.name == type) return entry.size;
  }
  return std::nullopt;
}

std::optional<NumberFormat> float_type(std::string_view type) {
  if (type == "F32") return NumberFormat::kF32;
  if (type == "F16") return NumberFormat::kF16;
  if (type == "BF16") return NumberFormat::kBf16;
  return std::nullopt;
}

// Where a tensor lies in the data, [begin, end).
struct Range {
  std::int64_t begin, end;
  const std::string* name;
};

// What the header says of one tensor.
struct Entry {
  std::string type;
  std::vector<std::int64_t> shape, strides;
  std::int64_t count = 1;
  std::int64_t begin = 0, end = 0;
};

Result<std::vector<std::int64_t>> read_numbers(const json::object& entry, const char* field) {
  const json::value* value = entry.if_contains(field);
  if (!value || !value->is_array()) {
    return corrupt(fmt::format("'{}' is missing or not an array", field));
  }
  std::vector<std::int64_t> numbers;
  for (const json::value& item : value->get_array()) {
    if (!item.is_int64() || item.get_int64() < 0) {
      return corrupt(fmt::format("'{}' holds something that is not a size in 63 bits", field));
    }
    numbers.push_back(item.get_int64());
  }
  return numbers;
}

// Sets the row-major strides and the count of elements from the shape.
Result<void> lay_out(Entry& entry) {
  if (entry.shape.size() > kLargestRank) {
    return corrupt(
        fmt::format("{} dimensions; expected at most {}", entry.shape.size(), kLargestRank));
  }
  entry.strides.resize(entry.shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = entry.shape.size(); i-- > 0;) {
    entry.strides[i] = stride;
    std::int64_t size = std::max<std::int64_t>(entry.shape[i], 1);
    if (__builtin_mul_overflow(stride, size, &stride)) {
      return corrupt("the sizes of shape " + shape_text(entry.shape) + " overflow");
    }
  }
  entry.count = std::ranges::count(entry.shape, 0) > 0 ? 0 : stride;
  return ok();
}

Result<Entry> read_entry(const json::value& value) {
  const json::object* object = value.if_object();
  if (!object) return corrupt("expected an object with 'dtype', 'shape' and 'data_offsets'");
  const json::value* type = object->if_contains("dtype");
  if (!type || !type->is_string()) return corrupt("'dtype' is missing or not a string");
  Entry entry;
  entry.type = std::string(type->get_string());
  CHORUS_TRY(entry.shape, read_numbers(*object, "shape"));
  CHORUS_TRY(auto offsets, read_numbers(*object, "data_offsets"));
  if (offsets.size() != 2) return corrupt("'data_offsets' is not [begin, end]");
  entry.begin = offsets[0];
  entry.end = offsets[1];
  CHORUS_TRY(lay_out(entry));
  return entry;
}

Result<void> check_range(const Entry& entry, std::size_t data_size) {
  if (entry.begin > entry.end || static_cast<std::uint64_t>(entry.end) > data_size) {
    return corrupt(
        fmt::format("data_offsets [{}, {}] lie outside the file, which has {} bytes of "
                    "data; it may be truncated",
                    entry.begin, entry.end, data_size));
  }
  auto type = float_type(entry.type);
  auto element_size = type ? static_cast<std::int64_t>(block_bytes(*type))
                           : other_type_size(entry.type).value_or(0);
  if (element_size == 0) return ok();
  std::int64_t expected = 0;
  if (__builtin_mul_overflow(entry.count, element_size, &expected)) {
    return corrupt("the sizes of shape " + shape_text(entry.shape) + " overflow");
  }
  if (entry.end - entry.begin != expected) {
    return corrupt(fmt::format("data_offsets [{}, {}] hold {} bytes; {} of shape {} needs {}",
                               entry.begin, entry.end, entry.end - entry.begin,
                               in_quotes(entry.type), shape_text(entry.shape), expected));
  }
  return ok();
}

Result<void> check_overlaps(std::vector<Range> ranges) {
  std::ranges::sort(ranges, {},
                    [](const Range& range) { return std::pair(range.begin, range.end); });
  const Range* previous = nullptr;
  for (const Range& range : ranges) {
    if (range.begin == range.end) continue;
    if (previous && range.begin < previous->end) {
      return corrupt("tensors " + in_quotes(*previous->name) + " and " + in_quotes(*range.name) +
                     " overlap in the file");
    }
    previous = &range;
  }
  return ok();
}

Result<std::map<std::string, std::string>> read_metadata(const json::value& value) {
  const json::object* object = value.if_object();
  if (!object) return corrupt("'__metadata__' is not an object");
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : *object) {
    if (!text.is_string()) {
      return corrupt("'__metadata__' field " + in_quotes(key) + " is not a string");
    }
    metadata.emplace(key, text.get_string());
  }
  return metadata;
}

Result<SafetensorsContent> read_header(std::string_view header, std::span<const std::byte> data) {
  CHORUS_TRY(json::object root, parse_json_object(header));
  SafetensorsContent content;
  std::vector<Range> ranges;
  for (const auto& [key, value] : root) {
    if (key == "__metadata__") {
      CHORUS_TRY(content.metadata, read_metadata(value));
      continue;
    }
    std::string name(key);
    std::string place = "tensor " + in_quotes(name);
    CHORUS_TRY(Entry entry, in_place(read_entry(value), place));
    CHORUS_TRY(in_place(check_range(entry, data.size()), place));
    const std::string* stored = nullptr;
    auto bytes = data.subspan(static_cast<std::size_t>(entry.begin),
                              static_cast<std::size_t>(entry.end - entry.begin));
    if (auto type = float_type(entry.type)) {
      Tensor tensor{*type, std::move(entry.shape), std::move(entry.strides), bytes};
      stored = &content.tensors.emplace(std::move(name), std::move(tensor)).first->first;
    } else {
      if (entry.type == "U8") content.byte_tensors[name] = {entry.shape, bytes};
      OtherTensor tensor{entry.type, std::move(entry.shape)};
      tensor.is_f64 = entry.type == "F64";
      if (tensor.is_f64) tensor.data = bytes, tensor.strides = std::move(entry.strides);
      stored = &content.other_tensors.emplace(std::move(name), std::move(tensor)).first->first;
    }
    ranges.push_back({entry.begin, entry.end, stored});
  }
  CHORUS_TRY(check_overlaps(std::move(ranges)));
  return content;
}

}  // namespace

bool looks_like_safetensors(const Bytes& bytes) {
  // No header is 2^48 bytes long: text that happens to have a brace there is not taken for one.
  return bytes.size() > kLengthSize && bytes.data[kLengthSize] == std::byte{'{'} &&
         load_u64(bytes.data.data()) >> 48 == 0;
}

Result<SafetensorsContent> read_safetensors(const Bytes& bytes) {
  if (bytes.size() < kLengthSize) {
    return corrupt(fmt::format("{}: not a safetensors file: {} bytes long; expected 8 at least",
                               bytes.name, bytes.size()));
  }
  std::uint64_t length = load_u64(bytes.data.data());
  if (length > kLargestHeader) {
    return corrupt(
        fmt::format("{}: safetensors header too large: {} bytes stated; at most {} are "
                    "read",
                    bytes.name, length, kLargestHeader));
  }
  if (length > bytes.size() - kLengthSize) {
    return corrupt(
        fmt::format("{}: truncated: the safetensors header has {} bytes, and only {} "
                    "follow its length",
                    bytes.name, length, bytes.size() - kLengthSize));
  }
  auto data = bytes.data.subspan(kLengthSize + length);
  return in_place(read_header(bytes.text().substr(kLengthSize, length), data),
                  bytes.name + ": safetensors header");
}

}  // namespace chorus::checkpoint
