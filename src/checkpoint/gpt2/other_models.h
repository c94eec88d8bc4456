// Checkpoints of other models and of other programs' layouts, known by the names of their tensors:
// for errors that say what a file is, rather than which of GPT-2's tensors it lacks. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace chorus::checkpoint {

// What the file is and what to do, if it lacks GPT-2's embeddings and its names are known. `names`:
// plain names to the file's own.
std::optional<std::string> recognise_other_model(const std::map<std::string, std::string>& names);

}  // namespace chorus::checkpoint
