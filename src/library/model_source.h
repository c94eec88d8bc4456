// Where a model comes from, for programs that are told so by a person: a path, a name that is fetched,
// or the model embedded in this build. Functions may be called from any thread.
#pragma once

#include <string>

#include "checkpoint/checkpoint.h"
#include "chorus/error.h"
#include "hub/hub.h"

namespace chorus::library {

// The file or folder that `model` means: an existing path as it is, else a name's place in the
// cache, fetched if it is not there yet. So a file called gpt2 hides the name gpt2, and ./gpt2 is
// always a path. Errors: kNotFound, with the names that are known, and hub::fetch()'s.
Result<std::string> locate_model(const std::string& model, const hub::Progress& progress = {});

// Opens what locate_model() finds; an empty `model` is the embedded storyteller.
// Errors: locate_model()'s, embedded_storyteller()'s and checkpoint::open()'s.
Result<checkpoint::Checkpoint> open_model(const std::string& model,
                                          const checkpoint::OpenOptions& options = {},
                                          const hub::Progress& progress = {});

}  // namespace chorus::library
