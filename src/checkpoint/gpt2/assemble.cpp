// RawCheckpoint to Checkpoint: plain names, one layout, a whole config, every tensor in its place
// and none left over. Reads no weights, except that an lm_head of its own storage is compared with
// wte when the file does not say whether they are tied.

#include <fmt/format.h>

#include <cstring>

#include "checkpoint/gpt2/completion.h"
#include "checkpoint/gpt2/names.h"
#include "checkpoint/raw.h"
#include "checkpoint/safetensors/quantised.h"
#include "core/error_text.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

constexpr const char* kHead = "lm_head.weight";
constexpr const char* kPositions = "wpe.weight";

// The tensors of a file by their plain names.
struct PlainNames {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> other_tensors;  // name to type
  std::map<std::string, RawQuantised> quantised;
  std::map<std::string, std::string> file_names;  // plain name to the file's own
};

Result<PlainNames> make_names_plain(RawCheckpoint& raw) {
  PlainNames plain;
  auto claim = [&plain](const std::string& name, const std::string& file_name) -> Result<void> {
    auto [place, is_new] = plain.file_names.emplace(name, file_name);
    if (is_new) return ok();
    return corrupt("tensors " + in_quotes(place->second) + " and " + in_quotes(file_name) +
                   " are both " + in_quotes(name));
  };
  for (auto& [file_name, tensor] : raw.tensors) {
    std::string name(without_prefixes(file_name));
    if (is_mask_buffer(name)) continue;
    CHORUS_TRY(claim(name, file_name));
    plain.tensors.emplace(std::move(name), std::move(tensor));
  }
  for (auto& [file_name, type] : raw.other_tensors) {
    std::string name(without_prefixes(file_name));
    if (is_mask_buffer(name)) continue;
    CHORUS_TRY(claim(name, file_name));
    plain.other_tensors.emplace(std::move(name), std::move(type));
  }
  for (const auto& [file_name, matrix] : raw.quantised) {
    std::string name(without_prefixes(file_name));
    CHORUS_TRY(claim(name, file_name));
    plain.quantised.emplace(std::move(name), matrix);
  }
  return plain;
}

template <class Pair>
void swap_two(Pair& values) {
  std::swap(values[0], values[1]);
}

// [inputs, outputs] becomes [outputs, inputs] by its strides alone.
void transpose_conv1d_weights(std::map<std::string, Tensor>& tensors) {
  for (auto& [name, tensor] : tensors) {
    if (!is_conv1d_weight(name) || tensor.shape.size() != 2) continue;
    swap_two(tensor.shape);
    swap_two(tensor.strides);
  }
}

// Both shapes as the file has them, so that they can be found there.
Error wrong_shape(const std::string& file_name, std::vector<std::int64_t> found,
                  std::vector<std::int64_t> expected, bool is_transposed) {
  bool other_layout = found.size() == 2 && expected.size() == 2 && found[0] == expected[1] &&
                      found[1] == expected[0];
  if (is_transposed && found.size() == 2) swap_two(found);
  if (is_transposed) swap_two(expected);
  std::string message = "tensor " + in_quotes(file_name) + " has the wrong shape: found " +
                        shape_text(found) + ", expected " + shape_text(expected);
  if (other_layout && !is_transposed && is_conv1d_weight(without_prefixes(file_name))) {
    message += " (Hugging Face's layout? Then open its folder, with config.json)";
  }
  return corrupt(message);
}

class Assembler {
 public:
  Assembler(PlainNames plain, bool conv1d_layout, Checkpoint& result)
      : plain_(std::move(plain)), conv1d_layout_(conv1d_layout), result_(result) {}

  Result<void> complete(const ConfigFields& stated, const OpenOptions& options) {
    if (conv1d_layout_) transpose_conv1d_weights(plain_.tensors);
    CHORUS_TRY(result_.config, complete_config(stated, plain_.tensors, options));
    CHORUS_TRY(take_all(tensors_outside_layers(result_.config)));
    for (std::int64_t layer = 0; layer < result_.config.n_layer; ++layer) {
      CHORUS_TRY(take_all(tensors_of_layer(result_.config, layer)));
    }
    CHORUS_TRY(take_head(stated.tie_word_embeddings));
    return refuse_leftovers();
  }

 private:
  Result<void> take_all(const std::vector<ExpectedTensor>& expected) {
    for (const ExpectedTensor& tensor : expected) {
      CHORUS_TRY(take(tensor));
    }
    return ok();
  }

  Result<void> take(const ExpectedTensor& expected) {
    bool is_quantised =
        is_file_quantised_ && expected.shape.size() == 2 && expected.name != kPositions;
    if (is_quantised) return take_quantised(expected);
    auto found = plain_.tensors.find(expected.name);
    if (found == plain_.tensors.end()) {
      auto other = plain_.other_tensors.find(expected.name);
      if (other == plain_.other_tensors.end()) {
        return corrupt("missing tensor " + in_quotes(expected.name));
      }
      return Error{ErrorCode::kUnsupported,
                   "tensor " + in_quotes(plain_.file_names[expected.name]) + " is of type " +
                       in_quotes(other->second) + "; expected f32, f16 or bf16"};
    }
    if (found->second.shape != expected.shape) {
      return wrong_shape(plain_.file_names[expected.name], found->second.shape, expected.shape,
                         conv1d_layout_ && is_conv1d_weight(expected.name));
    }
    result_.tensors.insert(plain_.tensors.extract(found));
    return ok();
  }

  Result<void> take_quantised(const ExpectedTensor& expected) {
    auto found = plain_.quantised.find(expected.name);
    if (found == plain_.quantised.end()) {
      return corrupt("missing quantised matrix " + in_quotes(expected.name));
    }
    QuantisedMatrix matrix =
        empty_quantised(found->second.type, expected.shape[0], expected.shape[1]);
    if (found->second.panels != matrix.panels || found->second.groups != matrix.groups) {
      return corrupt(fmt::format(
          "quantised matrix {} has {} panels of {} groups; a matrix of shape {} has {} of {}",
          in_quotes(plain_.file_names[expected.name]), found->second.panels, found->second.groups,
          shape_text(expected.shape), matrix.panels, matrix.groups));
    }
    CHORUS_TRY(check_common_part(expected.name, found->second, matrix));
    matrix.common = found->second.common;
    matrix.shares = found->second.shares;
    matrix.weights = found->second.weights;
    matrix.scales = found->second.scales;
    result_.quantised.emplace(expected.name, matrix);
    plain_.quantised.erase(found);
    return ok();
  }

  // Whether `common` and `shares` are those of a matrix of the size of `matrix`, if they are there.
  Result<void> check_common_part(const std::string& name, const RawQuantised& raw,
                                 const QuantisedMatrix& matrix) {
    if (!raw.common && !raw.shares) return ok();
    const std::string& file_name = plain_.file_names[name];
    std::string place = "quantised matrix " + in_quotes(file_name);
    if (!raw.common || !raw.shares) {
      return corrupt(place + " has one of 'common' and 'shares'; expected both or neither");
    }
    if (name != "wte.weight" && name != kHead) {
      return corrupt(place + " has 'common', which only wte.weight and lm_head.weight may have");
    }
    if (raw.common->shape != std::vector{matrix.inputs}) {
      return wrong_shape(file_name + ".common", raw.common->shape, {matrix.inputs}, false);
    }
    if (raw.shares->shape != std::vector{matrix.outputs}) {
      return wrong_shape(file_name + ".shares", raw.shares->shape, {matrix.outputs}, false);
    }
    return ok();
  }

  // Tied is what the config says; if it says nothing, what the file has.
  Result<void> take_head(std::optional<bool> stated) {
    const ModelConfig& config = result_.config;
    bool is_present = plain_.tensors.contains(kHead) || plain_.other_tensors.contains(kHead) ||
                      plain_.quantised.contains(kHead);
    if (stated.value_or(!is_present)) {
      plain_.quantised.erase(kHead);
      plain_.tensors.erase(kHead);  // present all the same: transformers ties, whatever it holds
      result_.config.tie_word_embeddings = true;
      return ok();
    }
    CHORUS_TRY(take({kHead, {config.vocab_size, config.n_embd}}));
    bool is_tied = !stated && !is_file_quantised_ &&
                   same_elements(result_.tensors.at(kHead), result_.tensors.at("wte.weight"));
    if (is_tied) result_.tensors.erase(kHead);
    result_.config.tie_word_embeddings = is_tied;
    return ok();
  }

  // Of two matrices of one shape.
  static bool same_elements(const Tensor& left, const Tensor& right) {
    if (left.dtype != right.dtype) return false;
    if (left.data.data() == right.data.data() && left.strides == right.strides) return true;
    const std::size_t size = block_bytes(left.dtype);
    const auto rows = left.shape[0], columns = left.shape[1];
    if (left.is_contiguous() && right.is_contiguous()) {
      return std::memcmp(left.data.data(), right.data.data(),
                         static_cast<std::size_t>(rows * columns) * size) == 0;
    }
    auto element = [size](const Tensor& tensor, std::int64_t row, std::int64_t column) {
      auto index = row * tensor.strides[0] + column * tensor.strides[1];
      return tensor.data.data() + static_cast<std::size_t>(index) * size;
    };
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < columns; ++column) {
        if (std::memcmp(element(left, row, column), element(right, row, column), size) != 0) {
          return false;
        }
      }
    }
    return true;
  }

  // A tensor that is not GPT-2's may be an adapter, another head or a bias that the config denies:
  // to pass over it would quietly compute something else.
  Result<void> refuse_leftovers() {
    if (plain_.tensors.empty() && plain_.quantised.empty()) return ok();
    const std::string& name =
        plain_.tensors.empty() ? plain_.quantised.begin()->first : plain_.tensors.begin()->first;
    std::string message = "unexpected tensor " + in_quotes(plain_.file_names[name]);
    auto parts = split_layer(name);
    if (parts && parts->layer >= result_.config.n_layer) {
      message += fmt::format(": the config has n_layer {}", result_.config.n_layer);
    } else if (!result_.config.bias && name.ends_with(".bias")) {
      message += ": the model has no biases";
    } else {
      message += ": GPT-2 has none of this name";
    }
    return Error{ErrorCode::kUnsupported, message};
  }

  PlainNames plain_;
  bool is_file_quantised_ = !plain_.quantised.empty();
  bool conv1d_layout_;
  Checkpoint& result_;
};

}  // namespace

Result<Checkpoint> assemble(RawCheckpoint raw, const OpenOptions& options) {
  CHORUS_TRY(PlainNames plain, in_place(make_names_plain(raw), raw.path));
  Checkpoint result;
  result.path = raw.path;
  result.format = raw.format;
  result.origin = raw.origin;
  result.notes = std::move(raw.notes);
  result.step = raw.step;
  result.val_loss = raw.val_loss;
  result.owners = std::move(raw.owners);
  Assembler assembler(std::move(plain), raw.conv1d_layout, result);
  CHORUS_TRY(in_place(assembler.complete(raw.config, options), raw.path));
  return result;
}

}  // namespace chorus::checkpoint
