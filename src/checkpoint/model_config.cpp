#include "checkpoint/model_config.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace chorus::checkpoint {
namespace {

struct ActivationName {
  std::string_view name;
  Activation activation;
};

// Written without underscores, in small letters; see plain_name(). "gelu" alone is the exact one in
// PyTorch and transformers alike. transformers' FastGELU is the same formula as its NewGELU;
// QuickGELU (x * sigmoid(1.702 x)) and the clipped gelu_10 are others.
constexpr ActivationName kActivations[] = {
    {"gelunew", Activation::kGeluTanh},
    {"newgelu", Activation::kGeluTanh},
    {"gelupytorchtanh", Activation::kGeluTanh},
    {"pytorchgelutanh", Activation::kGeluTanh},
    {"gelutanh", Activation::kGeluTanh},
    {"tanhgelu", Activation::kGeluTanh},
    {"gelufast", Activation::kGeluTanh},
    {"fastgelu", Activation::kGeluTanh},
    {"geluaccurate", Activation::kGeluTanh},
    {"accurategelu", Activation::kGeluTanh},
    {"geluapprox", Activation::kGeluTanh},
    {"geluapproximate", Activation::kGeluTanh},
    {"geluapproximated", Activation::kGeluTanh},
    {"approxgelu", Activation::kGeluTanh},
    {"approximategelu", Activation::kGeluTanh},
    {"geluwithtanh", Activation::kGeluTanh},
    {"gelu", Activation::kGeluErf},
    {"gelupython", Activation::kGeluErf},
    {"geluerf", Activation::kGeluErf},
    {"erfgelu", Activation::kGeluErf},
    {"geluexact", Activation::kGeluErf},
    {"exactgelu", Activation::kGeluErf},
    {"gelunone", Activation::kGeluErf},
    {"relu", Activation::kRelu},
};

// "torch.nn.functional.gelu", "nn.GELU()", "GELUActivation" and "Gelu" are all "gelu".
std::string plain_name(std::string_view name) {
  if (name.ends_with("()")) name.remove_suffix(2);
  if (std::size_t dot = name.rfind('.'); dot != std::string_view::npos) name.remove_prefix(dot + 1);
  std::string plain;
  for (char c : name) {
    if (c == '_' || c == '-' || c == ' ') continue;
    plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  constexpr std::string_view kSuffix = "activation";
  if (plain.size() > kSuffix.size() && plain.ends_with(kSuffix)) {
    plain.resize(plain.size() - kSuffix.size());
  }
  return plain;
}

}  // namespace

const char* activation_name(Activation activation) {
  switch (activation) {
    case Activation::kGeluTanh:
      return "gelu_new";
    case Activation::kGeluErf:
      return "gelu";
    case Activation::kRelu:
      return "relu";
  }
  return "";
}

std::optional<Activation> parse_activation(std::string_view name) {
  std::string plain = plain_name(name);
  auto found = std::ranges::find(kActivations, plain, &ActivationName::name);
  if (found == std::end(kActivations)) return std::nullopt;
  return found->activation;
}

}  // namespace chorus::checkpoint
