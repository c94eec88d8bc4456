// Where a command's model comes from: a path, a name that is fetched, or the model in this binary.
// Shows progress bars on standard error while it fetches. Single-threaded.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "chorus/error.h"

namespace chorus::cli {

// The file or folder that `model` means: an existing path as it is, else a name's place in the
// cache, fetched if it is not there yet. So a file called gpt2 hides the name gpt2, and ./gpt2 is
// always a path. Errors: kNotFound, with the names that are known, and hub::fetch()'s.
Result<std::string> locate_model(const std::string& model);

// Opens what locate_model() finds; an empty `model` is the embedded storyteller.
// Errors: locate_model()'s and checkpoint::open()'s.
Result<checkpoint::Checkpoint> open_model(const std::string& model,
                                          const checkpoint::OpenOptions& options = {});

// Prints what a checkpoint left open on standard error: "chorus: note: ...", a line each. Every
// command that opens a model does so once (the server writes them into its log).
void print_notes(const std::vector<std::string>& notes);

}  // namespace chorus::cli
