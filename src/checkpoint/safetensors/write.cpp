#include "checkpoint/safetensors/write.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <cmath>

#include "checkpoint/element.h"
#include "checkpoint/gpt2/names.h"
#include "checkpoint/safetensors/metadata.h"
#include "checkpoint/safetensors/quantised.h"
#include "core/atomic_file.h"

namespace chorus::checkpoint {
namespace {

constexpr std::int64_t kChunk = std::int64_t{1} << 18;  // elements that are converted at a time

const char* type_name(NumberFormat dtype) {
  switch (dtype) {
    case NumberFormat::kF32:
      return "F32";
    case NumberFormat::kF16:
      return "F16";
    case NumberFormat::kBf16:
      return "BF16";
    case NumberFormat::kBf16F32:
      break;  // no file's
    case NumberFormat::kInt8:
    case NumberFormat::kInt4:
      break;  // matrices of these are written as bytes
  }
  return "";
}

std::string json_string(const std::string& text) {
  return boost::json::serialize(boost::json::string(text));
}

// The view that is written row by row: Conv1D weights as [inputs, outputs].
Tensor in_file_layout(const std::string& name, Tensor tensor) {
  if (is_conv1d_weight(name)) {
    std::swap(tensor.shape[0], tensor.shape[1]);
    std::swap(tensor.strides[0], tensor.strides[1]);
  }
  return tensor;
}

// The tensors that are not quantised, the vectors of those that are among them.
std::map<std::string, Tensor> plain_tensors(const Checkpoint& checkpoint) {
  std::map<std::string, Tensor> tensors = checkpoint.tensors;
  for (const auto& [name, matrix] : checkpoint.quantised) {
    if (matrix.common) tensors[name + ".common"] = *matrix.common;
    if (matrix.shares) tensors[name + ".shares"] = *matrix.shares;
  }
  return tensors;
}

// The tensors of the file's header, as JSON.
class Header {
 public:
  void add(const std::string& name, std::string_view type, const std::vector<std::int64_t>& shape,
           std::uint64_t size) {
    json_ += fmt::format(R"(,{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                         json_string(name), type, fmt::join(shape, ","), size_, size_ + size);
    size_ += size;
  }
  const std::string& json() const { return json_; }
  std::uint64_t size() const { return size_; }  // of the data

 private:
  std::string json_;
  std::uint64_t size_ = 0;
};

// The tensors in the order in which they are written: the quantised matrices first, whose sizes are
// multiples of kFileAlignment, so that all of them are aligned.
Header make_entries(const Checkpoint& checkpoint, NumberFormat dtype, const std::string& prefix) {
  Header header;
  for (const auto& [name, matrix] : checkpoint.quantised) {
    header.add(name + "." + number_format_name(matrix.type), "U8", weights_shape(matrix),
               matrix.weights.size());
    header.add(name + ".scales", "BF16", scales_shape(matrix), matrix.scales.size());
  }
  for (const auto& [name, tensor] : plain_tensors(checkpoint)) {
    Tensor view = in_file_layout(name, tensor);
    header.add(name.starts_with("lm_head.") ? name : prefix + name, type_name(dtype), view.shape,
               static_cast<std::uint64_t>(view.element_count()) * block_bytes(dtype));
  }
  return header;
}

// The length, and the JSON padded so that the data begins at a multiple of kFileAlignment.
std::string make_header(const Checkpoint& checkpoint, const Header& entries,
                        bool carries_tokenizer) {
  std::string json = "{\"__metadata__\":{";
  for (const auto& [key, value] : own_metadata(checkpoint, carries_tokenizer)) {
    if (json.back() != '{') json += ',';
    json += fmt::format("{}:{}", json_string(key), json_string(value));
  }
  json += "}";
  json += entries.json();
  json += "}";
  json.append((kFileAlignment - (8 + json.size()) % kFileAlignment) % kFileAlignment, ' ');
  std::string length;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    length += static_cast<char>(json.size() >> shift & 0xff);
  }
  return length + json;
}

// Reads a tensor of one or two dimensions in row-major order, some rows (or columns) at a time.
class Writer {
 public:
  Writer(AtomicFile& file, NumberFormat dtype) : file_(file), dtype_(dtype) {}

  Result<void> write(const std::string& name, const Tensor& tensor) {
    if (tensor.dtype == dtype_ && tensor.is_contiguous()) {
      auto count = static_cast<std::size_t>(tensor.element_count());
      return file_.write(tensor.data.first(count * block_bytes(dtype_)));
    }
    const bool is_matrix = tensor.shape.size() == 2;
    const std::int64_t rows = is_matrix ? tensor.shape[0] : 1;
    const std::int64_t columns = tensor.shape.back();
    const std::int64_t block = std::max<std::int64_t>(1, kChunk / columns);
    for (std::int64_t row = 0; row < rows; row += block) {
      CHORUS_TRY(write_rows(name, tensor, row, std::min(block, rows - row)));
    }
    return ok();
  }

 private:
  Result<void> write_rows(const std::string& name, const Tensor& tensor, std::int64_t first,
                          std::int64_t count) {
    const std::int64_t columns = tensor.shape.back();
    const std::int64_t column_stride = tensor.strides.back();
    const std::int64_t row_stride = tensor.shape.size() == 2 ? tensor.strides[0] : 0;
    const std::size_t size = block_bytes(tensor.dtype);
    values_.resize(static_cast<std::size_t>(count * columns));
    auto move = [&](std::int64_t row, std::int64_t column) {
      auto index = (first + row) * row_stride + column * column_stride;
      values_[static_cast<std::size_t>(row * columns + column)] =
          load_element(tensor.dtype, tensor.data.data() + static_cast<std::size_t>(index) * size);
    };
    if (row_stride < column_stride) {  // transposed: along the file's memory, not across it
      for (std::int64_t column = 0; column < columns; ++column) {
        for (std::int64_t row = 0; row < count; ++row) move(row, column);
      }
    } else {
      for (std::int64_t row = 0; row < count; ++row) {
        for (std::int64_t column = 0; column < columns; ++column) move(row, column);
      }
    }
    if (dtype_ == NumberFormat::kF32) return file_.write(std::as_bytes(std::span(values_)));
    return write_halves(name);
  }

  Result<void> write_halves(const std::string& name) {
    const bool is_f16 = dtype_ == NumberFormat::kF16;
    const std::uint16_t infinity = is_f16 ? 0x7c00 : 0x7f80;
    halves_.resize(values_.size());
    for (std::size_t i = 0; i < values_.size(); ++i) {
      halves_[i] = is_f16 ? f32_to_f16(values_[i]) : f32_to_bf16(values_[i]);
      if ((halves_[i] & 0x7fffu) == infinity && std::isfinite(values_[i])) {
        return Error{ErrorCode::kUnsupported,
                     fmt::format("tensor '{}' holds {}, which is too large for {}", name,
                                 values_[i], number_format_name(dtype_))};
      }
    }
    return file_.write(std::as_bytes(std::span(halves_)));
  }

  AtomicFile& file_;
  NumberFormat dtype_;
  std::vector<float> values_;
  std::vector<std::uint16_t> halves_;
};

}  // namespace

Result<std::uint64_t> write_safetensors(const Checkpoint& checkpoint, const std::string& path,
                                        NumberFormat dtype, const WriteOptions& options) {
  CHORUS_TRY(AtomicFile file, AtomicFile::create(path));
  Header entries = make_entries(checkpoint, dtype, options.prefix);
  std::string header = make_header(checkpoint, entries, options.carries_tokenizer);
  CHORUS_TRY(file.write(std::as_bytes(std::span(header))));
  Writer writer(file, dtype);
  for (const auto& [name, matrix] : checkpoint.quantised) {
    CHORUS_TRY(file.write(matrix.weights));
    CHORUS_TRY(file.write(matrix.scales));
  }
  for (const auto& [name, tensor] : plain_tensors(checkpoint)) {
    CHORUS_TRY(writer.write(name, in_file_layout(name, tensor)));
  }
  CHORUS_TRY(file.commit());
  return header.size() + entries.size();
}

}  // namespace chorus::checkpoint
