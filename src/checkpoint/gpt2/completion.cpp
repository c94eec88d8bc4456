#include "checkpoint/gpt2/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "checkpoint/gpt2/limits.h"
#include "checkpoint/gpt2/names.h"
#include "core/error_text.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

using Tensors = std::map<std::string, Tensor>;

constexpr std::int64_t kUsualHeadSize = 64;

// The stated size, or the size of dimension `axis` of the matrix `name`.
Result<std::int64_t> stated_or_shape(const std::optional<std::int64_t>& stated,
                                     const Tensors& tensors, const std::string& name,
                                     std::size_t axis) {
  if (stated) return *stated;
  auto found = tensors.find(name);
  if (found == tensors.end()) {
    return Error{ErrorCode::kCorrupt, "missing tensor " + in_quotes(name)};
  }
  const std::vector<std::int64_t>& shape = found->second.shape;
  if (shape.size() != 2) {
    return Error{ErrorCode::kCorrupt, "tensor " + in_quotes(name) + " has the wrong shape: found " +
                                          shape_text(shape) + ", expected two dimensions"};
  }
  return shape[axis];
}

std::int64_t count_layers(const Tensors& tensors) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : tensors) {
    if (auto parts = split_layer(name)) count = std::max(count, parts->layer + 1);
  }
  return count;
}

bool has_biases(const Tensors& tensors) {
  return std::ranges::any_of(tensors, [](const auto& item) {
    return item.first == "ln_f.bias" || (split_layer(item.first) && item.first.ends_with(".bias"));
  });
}

// minGPT's presets, whose heads are not of 64 channels; GPT-2's own sizes have such.
struct KnownShape {
  std::int64_t n_embd, n_layer;  // n_layer 0: any
  std::int64_t n_head;
  const char* name;
};

constexpr KnownShape kKnownShapes[] = {{512, 8, 16, "gopher-44m"},
                                       {192, 0, 6, "gpt-mini"},
                                       {128, 0, 4, "gpt-micro"},
                                       {48, 0, 3, "gpt-nano"}};

class Completer {
 public:
  Completer(const ConfigFields& stated, const Tensors& tensors, const OpenOptions& options)
      : stated_(stated), tensors_(tensors), options_(options) {}

  Result<CompleteConfig> run() {
    result_.sources = stated_.sources;
    result_.notes = stated_.notes;
    ModelConfig& config = result_.config;
    CHORUS_TRY(config.vocab_size, size("vocab_size", stated_.vocab_size, "wte.weight", 0));
    CHORUS_TRY(config.n_embd, size("n_embd", stated_.n_embd, "wte.weight", 1));
    CHORUS_TRY(config.block_size, size("block_size", stated_.block_size, "wpe.weight", 0));
    config.n_layer = stated_.n_layer.value_or(std::max<std::int64_t>(count_layers(tensors_), 1));
    decide("n_layer", ValueSource::kDerived);
    CHORUS_TRY(config.n_inner, size("n_inner", stated_.n_inner, "h.0.mlp.c_fc.weight", 0));
    CHORUS_TRY(check_size("n_embd", config.n_embd, kLargestEmbedding));
    CHORUS_TRY(config.n_head, choose_head_count());
    CHORUS_TRY(check_key_value_heads());
    config.activation = choose_activation();
    take("layer_norm_epsilon", config.layer_norm_epsilon, stated_.layer_norm_epsilon);
    take("scale_attn_weights", config.scale_attn_weights, stated_.scale_attn_weights);
    take("scale_attn_by_inverse_layer_idx", config.scale_attn_by_inverse_layer_idx,
         stated_.scale_attn_by_inverse_layer_idx);
    config.bias = stated_.bias.value_or(has_biases(tensors_));
    decide("bias", ValueSource::kDerived);
    config.tie_word_embeddings = stated_.tie_word_embeddings.value_or(true);
    CHORUS_TRY(check_config(config));
    return std::move(result_);
  }

 private:
  // Unless it is stated.
  void decide(const char* field, ValueSource source) { result_.sources.emplace(field, source); }

  Result<std::int64_t> size(const char* field, const std::optional<std::int64_t>& stated,
                            const std::string& tensor, std::size_t axis) {
    decide(field, ValueSource::kDerived);
    return stated_or_shape(stated, tensors_, tensor, axis);
  }

  // The stated value, or what `place` holds: no kind of GPT-2 has another without saying so.
  template <class T>
  void take(const char* field, T& place, const std::optional<T>& stated) {
    place = stated.value_or(place);
    decide(field, ValueSource::kOfKind);
  }

  static Error invalid(std::string message) {
    return {ErrorCode::kInvalidArgument, std::move(message)};
  }

  // Stated, or told by what else is stated.
  Result<std::optional<std::int64_t>> told_head_count() const {
    const std::int64_t n_embd = result_.config.n_embd;
    if (!stated_.head_size) return stated_.n_head ? stated_.n_head : stated_.preset_n_head;
    if (n_embd % *stated_.head_size != 0) {
      return Error{ErrorCode::kCorrupt,
                   fmt::format("config field {} is {}; expected a divisor of n_embd, which is {}",
                               name_of("head_size"), *stated_.head_size, n_embd)};
    }
    std::int64_t derived = n_embd / *stated_.head_size;
    if (stated_.n_head.value_or(derived) == derived) return derived;
    return Error{ErrorCode::kUnsupported,
                 fmt::format("config fields {} and {} are {} and {}; expected heads that make up "
                             "n_embd, which is {}",
                             name_of("n_head"), name_of("head_size"), *stated_.n_head,
                             *stated_.head_size, n_embd)};
  }

  Result<std::int64_t> choose_head_count() {
    const std::int64_t n_embd = result_.config.n_embd;
    CHORUS_TRY(std::optional<std::int64_t> told, told_head_count());
    auto source = stated_.sources.find("n_head");
    bool was_assumed = source != stated_.sources.end() && source->second == ValueSource::kAssumed;
    if (was_assumed && options_.n_head) {
      result_.sources.erase("n_head");
      told.reset();
    }
    if (told) {
      if (options_.n_head && *options_.n_head != *told) {
        return invalid(
            fmt::format("--n-head {} contradicts the config of the file, whose n_head is {}",
                        *options_.n_head, *told));
      }
      decide("n_head", ValueSource::kDerived);
      return *told;
    }
    if (!options_.n_head) return head_count_of_shape();
    if (*options_.n_head < 1 || n_embd % *options_.n_head != 0) {
      return invalid(
          fmt::format("--n-head {} does not divide n_embd, which is {}", *options_.n_head, n_embd));
    }
    decide("n_head", ValueSource::kOption);
    return *options_.n_head;
  }

  Result<std::int64_t> head_count_of_shape() {
    const std::int64_t n_embd = result_.config.n_embd;
    constexpr const char* kUse = "--n-head N says otherwise";
    if (stated_.kind == Origin::kTransformers) {
      std::int64_t usual = ModelConfig().n_head;
      decide("n_head", ValueSource::kOfKind);
      note("n_head is not stated: {}, as transformers has it then ({})", usual, kUse);
      return usual;
    }
    for (const KnownShape& known : kKnownShapes) {
      if (known.n_embd != n_embd) continue;
      if (known.n_layer != 0 && known.n_layer != result_.config.n_layer) continue;
      decide("n_head", ValueSource::kAssumed);
      note(
          "n_head is not stated: {} heads of {} channels are assumed, as minGPT's {} has them ({})",
          known.n_head, n_embd / known.n_head, known.name, kUse);
      return known.n_head;
    }
    if (n_embd % kUsualHeadSize != 0) {
      return invalid(
          fmt::format("the file does not state n_head, and n_embd {} is not made of heads of {}: "
                      "give the number of heads with --n-head",
                      n_embd, kUsualHeadSize));
    }
    decide("n_head", ValueSource::kAssumed);
    note("n_head is not stated: {} heads of {} channels are assumed ({})", n_embd / kUsualHeadSize,
         kUsualHeadSize, kUse);
    return n_embd / kUsualHeadSize;
  }

  Result<void> check_key_value_heads() const {
    if (!stated_.n_kv_head || *stated_.n_kv_head == result_.config.n_head) return ok();
    return Error{
        ErrorCode::kUnsupported,
        fmt::format("config field {} is {}, and n_head {}: keys and values that heads share "
                    "(grouped-query attention) are not computed here",
                    name_of("n_kv_head"), *stated_.n_kv_head, result_.config.n_head)};
  }

  Activation choose_activation() {
    constexpr const char* kField = "activation_function";
    if (options_.activation) {
      if (stated_.activation && *stated_.activation != *options_.activation) {
        note("{} is {} by the file and {} by --activation, which is used", name_of(kField),
             activation_name(*stated_.activation), activation_name(*options_.activation));
      }
      result_.sources[kField] = ValueSource::kOption;
      return *options_.activation;
    }
    if (stated_.activation) return *stated_.activation;
    decide(kField, stated_.kind ? ValueSource::kOfKind : ValueSource::kAssumed);
    if (stated_.kind == Origin::kNanoGpt) {
      note(
          "{} is not stated: gelu (erf), as nanoGPT has it since June 2023 (--activation gelu_new "
          "for an older one)",
          kField);
      return Activation::kGeluErf;
    }
    if (stated_.kind == Origin::kTransformers) {
      note(
          "{} is not stated: gelu_new (tanh), as transformers has it then (--activation says "
          "otherwise)",
          kField);
    } else if (stated_.kind == Origin::kTalk) {
      note(
          "{} is not stated: gelu_new (tanh), as build-nanogpt has it (--activation gelu for a "
          "model "
          "trained with nn.GELU())",
          kField);
    } else {
      note(
          "{} is not stated: gelu_new (tanh) is assumed, as GPT-2, minGPT and build-nanogpt have "
          "it "
          "(--activation gelu for nanoGPT and nn.GELU())",
          kField);
    }
    return Activation::kGeluTanh;
  }

  template <class... T>
  void note(fmt::format_string<T...> format, T&&... values) {
    result_.notes.push_back(fmt::format(format, std::forward<T>(values)...));
  }

  // As the file calls the field.
  std::string name_of(const char* field) const {
    auto found = stated_.stated.find(field);
    return found == stated_.stated.end() ? field : printable(found->second);
  }

  const ConfigFields& stated_;
  const Tensors& tensors_;
  const OpenOptions& options_;
  CompleteConfig result_;
};

}  // namespace

Result<CompleteConfig> complete_config(const ConfigFields& stated, const Tensors& tensors,
                                       const OpenOptions& options) {
  return Completer(stated, tensors, options).run();
}

}  // namespace chorus::checkpoint
