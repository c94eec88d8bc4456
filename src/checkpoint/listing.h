// What a file or folder holds, whether or not a model can be made of it: for `inspect`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace chorus::checkpoint {

struct ListedTensor {
  std::string name;  // the file's own
  std::vector<std::int64_t> shape;
  std::string type;  // "f32", or for a type that weights are not computed in the file's word
};

// What stands in the way of a model.
struct Problem {
  std::string path;                      // for messages
  Error error{ErrorCode::kCorrupt, ""};  // open()'s
  std::string format;                    // as Checkpoint::format
  std::vector<ListedTensor> tensors;     // in the order of their names
  std::vector<std::string> missing;      // of GPT-2's tensors, for as many layers as there are
  std::vector<std::string> unexpected;   // the file's names that are none of GPT-2's
};

struct Listing {
  std::optional<Checkpoint> checkpoint;  // this,
  std::optional<Problem> problem;        // or that
};

// Errors: open()'s, if the file cannot be read at all.
Result<Listing> list(const std::string& path, const OpenOptions& options = {});

}  // namespace chorus::checkpoint
