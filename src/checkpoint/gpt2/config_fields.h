// What the fields of a config mean, under all names that training programs, their forks and
// transformers give them. Every field that changes the mathematics is honoured, or refused by its
// name; one that is not known and is neither false, zero nor none is named in a note. Pure.
#pragma once

#include <string>

#include "checkpoint/config_value.h"
#include "checkpoint/raw.h"

namespace chorus::checkpoint {

struct ConfigReading {
  std::string place = {};  // before the fields' names in messages: "model_args."
  // transformers' config.json: null is a value of the wrong type where transformers would not take
  // it for one that is left out, and model_type must be gpt2.
  bool is_config_json = false;
  // A config of less authority (a training program's flags beside the model's own): only what is
  // open yet is taken from it, and nothing is said of fields that are not known.
  bool is_fallback = false;
};

// Adds what `record` and the records in it state to `fields`. Names are compared without regard to
// underscores and capitals: nHead is n_head.
//
// reorder_and_upcast_attn asks for scores scaled before the mask and a softmax in f32. Both are
// always so here: it is honoured whatever its value.
//
// Errors: kCorrupt for a wrong type, a size out of range, and two names of one thing that disagree;
// kUnsupported for a field of other mathematics. All by the field's name.
Result<void> read_config_fields(const ConfigValue& record, const ConfigReading& reading,
                                ConfigFields& fields);

}  // namespace chorus::checkpoint
