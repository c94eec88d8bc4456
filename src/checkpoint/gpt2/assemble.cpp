// RawCheckpoint to Checkpoint: plain names, one layout, one type for each tensor, a whole config,
// every tensor in its place and none left over. Reads no weights, except those of two names that
// must be compared (an lm_head beside wte), and f64 ones, which are rounded.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "checkpoint/expansion.h"
#include "checkpoint/float64.h"
#include "checkpoint/gpt2/completion.h"
#include "checkpoint/gpt2/names.h"
#include "checkpoint/gpt2/other_models.h"
#include "checkpoint/gpt2/plain_names.h"
#include "checkpoint/raw.h"
#include "checkpoint/safetensors/quantised.h"
#include "checkpoint/same_elements.h"
#include "core/error_text.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

constexpr const char* kHead = "lm_head.weight";
constexpr const char* kPositions = "wpe.weight";
constexpr const char* kEmbedding = "wte.weight";

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

// The name of a LoRA tensor in a file that has no weights that it could adapt.
std::optional<std::string> adapter_alone(const RawCheckpoint& raw) {
  std::optional<std::string> found;
  for (const auto& [name, tensor] : raw.tensors) {
    if (name.find("lora_") == std::string::npos) {
      if (name.ends_with("c_attn.weight") || name.ends_with("c_proj.weight")) return std::nullopt;
    } else if (!found) {
      found = name;
    }
  }
  return found;
}

// Heads that are trained beside the model and take no part in its text: trl's value head, and that
// of GPT2DoubleHeadsModel.
bool is_another_head(std::string_view name) {
  constexpr std::string_view kHeads[] = {"v_head.", "value_head.", "multiple_choice_head."};
  return std::ranges::any_of(kHeads, [name](std::string_view head) {
    std::size_t place = name.find(head);
    return place == 0 || (place != std::string_view::npos && name[place - 1] == '.');
  });
}

bool is_fused_projection(const std::string& name) {
  auto parts = split_layer(name);
  return parts && parts->rest == "attn.c_attn.weight";
}

// Whether the matrices lie as [inputs, outputs]: the shape of c_attn tells, which is [C, 3 C] then
// and else [3 C, C]; a square c_proj tells nothing. Nothing if there is no c_attn of either shape.
Result<std::optional<bool>> layout_of(const PlainNames& plain) {
  std::optional<bool> layout;
  std::string first;
  std::vector<std::int64_t> first_shape;
  auto look = [&](const std::string& name, const std::vector<std::int64_t>& shape) -> Result<void> {
    if (!is_fused_projection(name) || shape.size() != 2) return ok();
    // Without products, which might overflow.
    bool is_conv1d = shape[1] % 3 == 0 && shape[1] / 3 == shape[0];
    bool is_linear = shape[0] % 3 == 0 && shape[0] / 3 == shape[1];
    if (is_conv1d == is_linear) return ok();
    if (layout && *layout != is_conv1d) {
      return corrupt("tensors " + in_quotes(plain.file_names.at(first)) + " and " +
                     in_quotes(plain.file_names.at(name)) + " have different layouts, " +
                     shape_text(first_shape) + " and " + shape_text(shape) +
                     "; expected one of them in all layers");
    }
    first_shape = shape;
    layout = is_conv1d;
    first = name;
    return ok();
  };
  for (const auto& [name, tensor] : plain.tensors) {
    CHORUS_TRY(look(name, tensor.shape));
  }
  for (const auto& [name, tensor] : plain.other_tensors) {
    CHORUS_TRY(look(name, tensor.shape));
  }
  return layout;
}

// Tensors may show the same bytes of a file many times (expanded, or one layer as twelve), and each
// takes its own memory when it is packed. Errors: kUnsupported if that is out of proportion.
Result<void> check_expansion(const PlainNames& plain) {
  std::uint64_t shown = 0;
  std::vector<std::pair<const std::byte*, const std::byte*>> ranges;
  auto add = [&](std::span<const std::byte> data, const std::vector<std::int64_t>& shape,
                 std::size_t size) {
    if (data.empty()) return;
    ranges.emplace_back(data.data(), data.data() + data.size());
    // Readers let in no tensor whose elements 64 bits cannot count; a sum beyond them stays there.
    auto count =
        static_cast<std::uint64_t>(Tensor{NumberFormat::kF32, shape, {}, {}}.element_count());
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(shown, bytes, &shown)) {
      shown = UINT64_MAX;
    }
  };
  for (const auto& [name, tensor] : plain.tensors) {
    add(tensor.data, tensor.shape, block_bytes(tensor.dtype));
  }
  for (const auto& [name, tensor] : plain.other_tensors) {
    add(tensor.data, tensor.shape, tensor.element_bytes);
  }
  std::ranges::sort(ranges);
  std::uint64_t held = 0;
  const std::byte* end = nullptr;
  for (auto [first, last] : ranges) {
    if (end == nullptr || first > end) end = first;
    if (last > end) held += static_cast<std::uint64_t>(last - end), end = last;
  }
  if (!is_out_of_proportion(shown, held)) return ok();
  return Error{ErrorCode::kUnsupported,
               fmt::format("its tensors show {} bytes as {} (views that are expanded, or show the "
                           "same again); expected at most {} times as many: save copies of them, "
                           "made by contiguous()",
                           held, shown, kLargestExpansion)};
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
  if (other_layout) message += " (the layout that the other matrices do not have)";
  return corrupt(message);
}

class Assembler {
 public:
  Assembler(PlainNames plain, bool conv1d_layout, Checkpoint& result)
      : plain_(std::move(plain)), conv1d_layout_(conv1d_layout), result_(result) {}

  // Before all else: 64-bit floats become f32.
  Result<void> round_floats() {
    std::size_t count = 0;
    for (auto item = plain_.other_tensors.begin(); item != plain_.other_tensors.end();) {
      auto current = item++;
      if (!current->second.is_f64) continue;
      CHORUS_TRY(Tensor tensor, round_to_f32(current->second, result_.owners));
      plain_.tensors.emplace(current->first, std::move(tensor));
      plain_.other_tensors.erase(current);
      ++count;
    }
    if (count > 0) {
      result_.notes.push_back(
          fmt::format("{} tensors are f64 and are rounded to f32, as load_state_dict does", count));
    }
    return ok();
  }

  Result<void> complete(const ConfigFields& stated, const OpenOptions& options) {
    if (conv1d_layout_) transpose_conv1d_weights(plain_.tensors);
    find_bias_kinds();
    use_head_as_embedding(stated.tie_word_embeddings);
    auto read = complete_config(stated, plain_.tensors, options);
    if (!read && read.assume_error().message.starts_with("missing tensor")) {
      return corrupt(read.assume_error().message + hint_of_names());
    }
    CHORUS_TRY(CompleteConfig completed, std::move(read));
    result_.config = completed.config;
    result_.sources = std::move(completed.sources);
    std::ranges::move(completed.notes, std::back_inserter(result_.notes));
    CHORUS_TRY(take_all(tensors_outside_layers(result_.config)));
    for (std::int64_t layer = 0; layer < result_.config.n_layer; ++layer) {
      CHORUS_TRY(take_all(tensors_of_layer(result_.config, layer)));
    }
    CHORUS_TRY(take_head(stated.tie_word_embeddings));
    result_.sources.emplace("tie_word_embeddings", ValueSource::kDerived);
    return refuse_leftovers();
  }

 private:
  // Tied weights may be stored under the head's name alone, or under both. PyTorch loads the head
  // last, into the one matrix that both are: where they differ and are said to be tied, it is the
  // head's that counts.
  void use_head_as_embedding(std::optional<bool> stated) {
    auto head = plain_.tensors.find(kHead);
    auto embedding = plain_.tensors.find(kEmbedding);
    if (head == plain_.tensors.end() || stated == false) return;
    if (embedding == plain_.tensors.end()) {
      if (plain_.other_tensors.contains(kEmbedding)) return;
      plain_.tensors.emplace(kEmbedding, head->second);
      plain_.file_names.emplace(kEmbedding, plain_.file_names[kHead]);
      return;
    }
    if (stated != true || head->second.shape != embedding->second.shape ||
        same_matrix(head->second, embedding->second)) {
      return;
    }
    result_.notes.push_back(fmt::format(
        "{} and {} differ, and the config says that they are one (tie_word_embeddings): as in "
        "PyTorch, the head's is used for both",
        plain_.file_names[kHead], plain_.file_names[kEmbedding]));
    embedding->second = head->second;
  }

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
        if (is_absent_bias(expected.name)) return take_zeros(expected);
        return corrupt("missing tensor " + in_quotes(expected.name) + hint_of_names());
      }
      return Error{ErrorCode::kUnsupported,
                   "tensor " + in_quotes(plain_.file_names[expected.name]) + " is of type " +
                       in_quotes(other->second.type) +
                       "; expected f32, f16, bf16 or f64: save it so, made plain by dequantize(), "
                       "to_dense() or float()"};
    }
    if (found->second.shape != expected.shape) {
      return wrong_shape(plain_.file_names[expected.name], found->second.shape, expected.shape,
                         conv1d_layout_ && is_conv1d_weight(expected.name));
    }
    result_.tensors.insert(plain_.tensors.extract(found));
    return ok();
  }

  // The biases that layers have, as "attn.c_attn.bias".
  void find_bias_kinds() {
    auto add = [this](const std::string& name) {
      auto parts = split_layer(name);
      if (parts && name.ends_with(".bias")) bias_kinds_.emplace(parts->rest);
    };
    for (const auto& [name, tensor] : plain_.tensors) add(name);
    for (const auto& [name, tensor] : plain_.other_tensors) add(name);
  }

  // Whether no layer has a bias of this kind, though there are others: linear layers of bias=False
  // beside norms with biases, or norms without them. That of the last norm goes by the other norms.
  bool is_absent_bias(const std::string& name) const {
    if (!name.ends_with(".bias") || bias_kinds_.empty()) return false;
    auto parts = split_layer(name);
    return !bias_kinds_.contains(parts ? std::string(parts->rest) : "ln_1.bias");
  }

  Result<void> take_zeros(const ExpectedTensor& expected) {
    auto parts = split_layer(expected.name);
    std::string kind = parts ? std::string(parts->rest) : expected.name;
    if (absent_kinds_.insert(kind).second) {
      result_.notes.push_back("no layer has " + in_quotes(kind) +
                              ", though the model has biases: it is taken as 0");
    }
    // As many as the weight's outputs, which were looked at before.
    auto zeros = std::make_shared<std::vector<float>>(static_cast<std::size_t>(expected.shape[0]));
    result_.tensors[expected.name] =
        Tensor{NumberFormat::kF32, expected.shape, {1}, std::as_bytes(std::span(*zeros))};
    result_.owners.push_back(std::move(zeros));
    return ok();
  }

  // What stands in the file in place of a tensor that is missing: other names, or a weight in parts.
  std::string hint_of_names() {
    constexpr std::string_view kParts[] = {".weight_g",    ".weight_v", ".weight_orig",
                                           ".weight_mask", ".original", ".original0"};
    for (const auto& [name, tensor] : plain_.tensors) {
      const std::string& file_name = plain_.file_names[name];
      bool is_part = std::ranges::any_of(
          kParts, [&](std::string_view part) { return file_name.ends_with(part); });
      if (is_part) {
        return "; the file has " + in_quotes(file_name) +
               ": a weight that is made of parts; join them before saving, by "
               "torch.nn.utils' remove_weight_norm, prune.remove or "
               "parametrize.remove_parametrizations";
      }
    }
    for (const auto& [name, tensor] : plain_.tensors) {
      if (is_plain_name(name)) continue;
      return "; the file has " + in_quotes(plain_.file_names[name]) +
             ", which is no name of GPT-2's: a model of its mathematics is read once its keys are "
             "renamed as nanoGPT or transformers have them";
    }
    return "";
  }

  static bool is_plain_name(const std::string& name) {
    ModelConfig any;
    auto has = [](const std::vector<ExpectedTensor>& list, std::string_view wanted) {
      std::string_view stem = wanted.substr(0, wanted.rfind('.'));
      return std::ranges::any_of(list, [stem](const ExpectedTensor& tensor) {
        return tensor.name.substr(0, tensor.name.rfind('.')) == stem;
      });
    };
    auto parts = split_layer(name);
    return name == kHead || has(tensors_outside_layers(any), name) ||
           (parts && has(tensors_of_layer(any, parts->layer), name));
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
      plain_.tensors.erase(kHead);
      result_.config.tie_word_embeddings = true;
      return ok();
    }
    CHORUS_TRY(take({kHead, {config.vocab_size, config.n_embd}}));
    bool is_tied = !stated && !is_file_quantised_ &&
                   same_matrix(result_.tensors.at(kHead), result_.tensors.at(kEmbedding));
    if (is_tied) result_.tensors.erase(kHead);
    result_.config.tie_word_embeddings = is_tied;
    return ok();
  }

  static bool same_matrix(const Tensor& left, const Tensor& right) {
    auto view = [](const Tensor& tensor) {
      return ElementView{tensor.shape, tensor.strides, tensor.data, block_bytes(tensor.dtype)};
    };
    return left.dtype == right.dtype && same_elements(view(left), view(right));
  }

  // A tensor that is not GPT-2's may be an adapter, another head or a bias that the config denies:
  // to pass over it would quietly compute something else.
  Result<void> refuse_leftovers() {
    std::erase_if(plain_.tensors, [this](const auto& item) {
      if (!is_another_head(item.first)) return false;
      result_.notes.push_back("tensor " + in_quotes(plain_.file_names[item.first]) +
                              " is another head's, which no text comes from: it is passed over");
      return true;
    });
    note_other_types();
    if (plain_.tensors.empty() && plain_.quantised.empty()) return ok();
    const std::string& name =
        plain_.tensors.empty() ? plain_.quantised.begin()->first : plain_.tensors.begin()->first;
    std::string message = "unexpected tensor " + in_quotes(plain_.file_names[name]);
    auto parts = split_layer(name);
    if (name.find("lora_") != std::string::npos) {
      message += ": a LoRA adapter beside the weights; save model.merge_and_unload() instead";
    } else if (name.find("flat_param") != std::string::npos) {
      message +=
          ": FSDP's weights of a whole module in one; save with StateDictType.FULL_STATE_DICT";
    } else if (parts && parts->layer >= result_.config.n_layer) {
      message += fmt::format(": the config has n_layer {}", result_.config.n_layer);
    } else if (!result_.config.bias && name.ends_with(".bias")) {
      message += ": the model has no biases";
    } else {
      message += ": GPT-2 has none of this name";
    }
    return Error{ErrorCode::kUnsupported, message};
  }

  // Numbers that are no weights, of counters and the like.
  void note_other_types() {
    constexpr std::string_view kCounters[] = {"position_ids", "num_batches_tracked", "n_averaged"};
    std::vector<std::string> names;
    for (const auto& [name, tensor] : plain_.other_tensors) {
      const std::string& file_name = plain_.file_names[name];
      bool is_counter = std::ranges::any_of(
          kCounters, [&](std::string_view counter) { return file_name.ends_with(counter); });
      if (!is_counter && !is_another_head(name)) {
        names.push_back(in_quotes(file_name) + " (" + printable(tensor.type) + ")");
      }
    }
    if (names.empty()) return;
    constexpr std::size_t kMostNamed = 8;
    result_.notes.push_back(
        fmt::format("tensors that are no weights of GPT-2's are passed over: {}; if the model "
                    "computes with one of them, its text will differ",
                    listed(names, kMostNamed)));
  }

  PlainNames plain_;
  std::set<std::string> bias_kinds_;    // that layers have
  std::set<std::string> absent_kinds_;  // that are taken as 0
  bool is_file_quantised_ = !plain_.quantised.empty();
  bool conv1d_layout_;
  Checkpoint& result_;
};

}  // namespace

Result<Checkpoint> assemble(RawCheckpoint raw, const OpenOptions& options) {
  if (auto name = adapter_alone(raw)) {
    return Error{ErrorCode::kUnsupported,
                 raw.path + ": holds a LoRA adapter (tensor " + in_quotes(*name) +
                     "), not a model: merge it into its base model (PEFT: "
                     "model.merge_and_unload().save_pretrained(folder)) and give that folder"};
  }
  if (raw.problem) return *raw.problem;
  CHORUS_TRY(PlainNames plain, in_place(make_names_plain(raw), raw.path));
  if (auto other = recognise_other_model(plain.file_names)) {
    return Error{ErrorCode::kUnsupported, raw.path + ": " + *other};
  }
  CHORUS_TRY(in_place(check_expansion(plain), raw.path));
  CHORUS_TRY(std::optional<bool> layout, in_place(layout_of(plain), raw.path));
  // A converted file has this layout, too, and says itself where it comes from.
  if (layout == true && raw.format == "pytorch" && raw.origin == Origin::kTalk) {
    raw.origin = Origin::kTransformers;
  }
  Checkpoint result;
  result.path = raw.path;
  result.format = raw.format;
  result.origin = raw.origin;
  result.notes = std::move(raw.notes);
  result.step = raw.step;
  result.val_loss = raw.val_loss;
  result.owners = std::move(raw.owners);
  Assembler assembler(std::move(plain), layout.value_or(raw.conv1d_layout), result);
  CHORUS_TRY(in_place(assembler.round_floats(), raw.path));
  CHORUS_TRY(in_place(assembler.complete(raw.config, options), raw.path));
  return result;
}

}  // namespace chorus::checkpoint
