// The names of config fields and what each says. A table; config_fields.cpp reads by it.
#pragma once

#include <string>
#include <string_view>

namespace chorus::checkpoint {

enum class Meaning {
  // Sizes.
  kBlockSize,
  kVocabSize,
  kLayers,
  kHeads,
  kEmbedding,
  kInner,
  kHeadSize,
  kKeyValueHeads,
  // The rest of what is honoured.
  kActivation,
  kReluFlag,  // on: relu
  kGeluFlag,  // off: something else
  kTanhGelu,  // "tanh" or true, "none" or false
  kEpsilon,
  kBias,
  kTied,
  kUntied,
  kScaled,
  kScaledByLayer,
  kUpcast,
  kTokenId,  // bos, eos or pad; of a config.json others read them
  // What is checked.
  kNormKind,      // layer norm
  kPositionKind,  // learned
  kModelType,
  kArchitectures,
  kMustBeOff,
  kMustBeOn,
  kNormKindOrFlag,   // a kind, or whether there are norms
  kMustBeOne,        // a factor; true asks for one that is not stated
  kMustBeOneOrTrue,  // a factor; true is the usual one
  // What changes nothing: sizes that shapes tell, dropout, training, generation defaults. Records
  // under such a name are not looked into.
  kHarmless,
};

struct FieldName {
  std::string name;  // as plain_field_name() gives it
  Meaning meaning;
  const char* what = nullptr;  // of those that must be off or on: what is not computed
};

// Null for a name that is not known. Names are compared as plain_field_name() gives them.
const FieldName* find_field_name(std::string_view name);

// "n_head", "nHead" and "N-Head" are "nhead".
std::string plain_field_name(std::string_view name);

}  // namespace chorus::checkpoint
