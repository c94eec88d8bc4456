// Where in what was saved the weights are: a state_dict may be all of it, or stand under a key
// ("model", Lightning's "state_dict", DeepSpeed's "module"), deeper, beside an average of the
// weights or beside another model, and be itself a dict for each module. Pure; any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "checkpoint/pytorch/tensors.h"

namespace chorus::checkpoint {

struct StateDict {
  // The tensors (and what claims to be one) by their names, as the program's state_dict() has them.
  std::vector<std::pair<std::string, PickleRef>> items;
  // The dicts around it, the innermost first, from which config and progress are read; never empty.
  std::vector<PickleRef> around;
  // What was found beside it and passed over, a sentence each.
  std::vector<std::string> notes;
};

// Whether a value has items by key: a dict, or an object of a class that is filled as one.
bool is_dict(const Pickle& pickle, PickleRef ref);

// The value of a key in one of the dicts around the weights, the innermost first, or kNoPickleRef.
PickleRef find_around(const Pickle& pickle, const StateDict& state_dict, std::string_view key);

// Errors: kUnsupported without one, with what was saved instead, and for several of equal right;
// kCorrupt for a tensor whose name is not a string, or too long.
Result<StateDict> find_state_dict(const Pickle& pickle);

}  // namespace chorus::checkpoint
