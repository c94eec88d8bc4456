#include "checkpoint/gpt2/plain_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <type_traits>

#include "checkpoint/gpt2/mask_buffers.h"
#include "checkpoint/gpt2/names.h"
#include "checkpoint/same_elements.h"
#include "core/error_text.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

constexpr std::string_view kHeadPrefix = "lm_head.";

bool same(const Tensor& left, const Tensor& right) {
  auto view = [](const Tensor& tensor) {
    return ElementView{tensor.shape, tensor.strides, tensor.data, block_bytes(tensor.dtype)};
  };
  return left.dtype == right.dtype && same_elements(view(left), view(right));
}

// Of types whose data is not read nothing can be said, and nothing needs to be: they are not used.
bool same(const OtherTensor& left, const OtherTensor& right) {
  if (left.type != right.type || left.shape != right.shape) return false;
  if (!left.is_f64) return true;
  auto view = [](const OtherTensor& tensor) {
    return ElementView{tensor.shape, tensor.strides, tensor.data, sizeof(double)};
  };
  return same_elements(view(left), view(right));
}

bool same(const RawQuantised&, const RawQuantised&) { return false; }

// "under 'policy.'", or how a model without a prefix is spoken of.
std::string under(const std::string& prefix) {
  return prefix.empty() ? "without a prefix" : "under " + in_quotes(prefix + ".");
}

class Renamer {
 public:
  explicit Renamer(RawCheckpoint& raw) : raw_(raw) {}

  Result<PlainNames> run() {
    for_each_name([this](const std::string& name) { count(name); });
    choose_model();
    if (!has_weights_ && !sizes_[true].empty()) {
      raw_.notes.push_back(
          fmt::format("the weights are an average (EMA or SWA, as {}), and the only ones in the "
                      "file: they are read",
                      in_quotes(model_example())));
    }
    CHORUS_TRY(take(raw_.tensors, plain_.tensors));
    CHORUS_TRY(take(raw_.other_tensors, plain_.other_tensors));
    CHORUS_TRY(take(raw_.quantised, plain_.quantised));
    if (passed_over_ > 0) {
      raw_.notes.push_back(
          fmt::format("{} tensors of an average of the weights (EMA or SWA), among them {}, are "
                      "passed over: the weights themselves are read",
                      passed_over_, in_quotes(example_)));
    }
    return std::move(plain_);
  }

 private:
  void for_each_name(const std::function<void(const std::string&)>& visit) {
    for (const auto& [name, tensor] : raw_.tensors) visit(name);
    for (const auto& [name, tensor] : raw_.other_tensors) visit(name);
    for (const auto& [name, matrix] : raw_.quantised) visit(name);
  }

  void count(const std::string& name) {
    std::optional<SplitName> split = split_name(name);
    if (!split || split->plain.starts_with(kHeadPrefix)) return;
    has_weights_ = has_weights_ || !is_of_an_average(name);
    ++sizes_[is_of_an_average(name)][split->prefix];
  }

  // The prefix of the most tensors is the model's.
  void choose_model() {
    for (const auto& [prefix, size] : sizes_[!has_weights_]) {
      if (size <= model_size_) continue;
      model_ = prefix;
      model_size_ = size;
    }
  }

  // A head, and sometimes an embedding, may stand beside the model's body: "lm_head.weight" beside
  // "policy.wte.weight".
  bool is_of_the_model(const SplitName& split) const {
    return split.prefix.empty() || split.prefix == model_ ||
           model_.starts_with(split.prefix + ".") ||
           (split.plain.starts_with(kHeadPrefix) && !sizes_[!has_weights_].contains(split.prefix));
  }

  // The model's own first, so that others can be compared with them.
  template <class Value>
  Result<void> take(std::map<std::string, Value>& from, std::map<std::string, Value>& to) {
    std::vector<std::pair<const std::string*, Value*>> others;
    for (auto& [file_name, value] : from) {
      if (has_weights_ && is_of_an_average(file_name)) {
        pass_over(file_name, value);
        continue;
      }
      std::optional<SplitName> split = split_name(file_name);
      std::string name = split ? split->plain : file_name;
      CHORUS_TRY(bool is_mask, is_plain_mask(name, file_name, value));
      if (is_mask) continue;
      if (split && !is_of_the_model(*split)) {
        others.emplace_back(&file_name, &value);
        continue;
      }
      CHORUS_TRY(bool is_new, claim(name, file_name, value, to));
      if (is_new) to.emplace(std::move(name), std::move(value));
    }
    for (auto [file_name, value] : others) {
      CHORUS_TRY(pass_over_copy(*file_name, *value, to));
    }
    return ok();
  }

  // transformers makes its masks anew, whatever a file has under their names.
  template <class Value>
  Result<bool> is_plain_mask(const std::string& name, const std::string& file_name,
                             const Value& value) {
    if (!is_mask_buffer(name)) return false;
    if (raw_.origin == Origin::kTransformers) return true;
    return in_place(masks_.check(name, value), "tensor " + in_quotes(file_name));
  }
  Result<bool> is_plain_mask(const std::string&, const std::string&, const RawQuantised&) {
    return false;
  }

  template <class Value>
  void pass_over(const std::string& file_name, const Value&) {
    // Not a counter of how many were averaged.
    if (!std::is_same_v<Value, OtherTensor> && passed_over_++ == 0) example_ = file_name;
  }

  // A tensor of another prefix than the model's, which may only be the model's own once more.
  template <class Value>
  Result<void> pass_over_copy(const std::string& file_name, const Value& value,
                              const std::map<std::string, Value>& to) {
    std::optional<SplitName> split = split_name(file_name);
    auto twin = to.find(split->plain);
    if (twin != to.end() && same(twin->second, value)) return ok();
    return Error{
        ErrorCode::kUnsupported,
        fmt::format("holds two models, one {} ({}) and one {} ({}): save the one that is meant "
                    "alone, with torch.save(model.state_dict(), path)",
                    under(model_), in_quotes(model_example()), under(split->prefix),
                    in_quotes(file_name))};
  }

  // False for a tensor that is there already under another name, with the same contents.
  template <class Value>
  Result<bool> claim(const std::string& name, const std::string& file_name, const Value& value,
                     const std::map<std::string, Value>& to) {
    auto [place, is_new] = plain_.file_names.emplace(name, file_name);
    if (is_new) return true;
    auto twin = to.find(name);
    if (twin != to.end() && same(twin->second, value)) return false;
    return corrupt("tensors " + in_quotes(place->second) + " and " + in_quotes(file_name) +
                   " are both " + in_quotes(name) + ", and differ");
  }

  // A name of the model's, for messages.
  std::string model_example() {
    std::string example;
    for_each_name([&](const std::string& name) {
      std::optional<SplitName> split = split_name(name);
      if (example.empty() && split && split->prefix == model_) example = name;
    });
    return example;
  }

  RawCheckpoint& raw_;
  PlainNames plain_;
  std::map<std::string, std::size_t> sizes_[2];  // by prefix: of weights, of averages
  bool has_weights_ = false;
  MaskBuffers masks_;
  std::string model_;
  std::size_t model_size_ = 0;
  std::size_t passed_over_ = 0;
  std::string example_;  // of what is passed over
};

}  // namespace

Result<PlainNames> make_names_plain(RawCheckpoint& raw) { return Renamer(raw).run(); }

}  // namespace chorus::checkpoint
