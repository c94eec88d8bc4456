// Where a command's model comes from: library/model_source.h, with progress bars on standard error
// while it fetches. Single-threaded.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "checkpoint/listing.h"
#include "chorus/error.h"

namespace CLI {
class App;
}

namespace chorus::cli {

Result<std::string> locate_model(const std::string& model);

Result<checkpoint::Checkpoint> open_model(const std::string& model,
                                          const checkpoint::OpenOptions& options = {});

// The options that say what a checkpoint leaves open: --n-head and --activation.
void add_open_options(CLI::App& command, checkpoint::OpenOptions& options);

// Lists what locate_model() finds, whether or not it can be opened.
// Errors: as open_model()'s, if not even its tensors can be read.
Result<checkpoint::Listing> list_model(const std::string& model,
                                       const checkpoint::OpenOptions& options = {});

// Prints what a checkpoint left open on standard error: "chorus: note: ...", a line each. Every
// command that opens a model does so once (the server writes them into its log).
void print_notes(const std::vector<std::string>& notes);

// What --help says of leaving the model out: the storyteller, unless this build has none.
std::string default_model_help();

}  // namespace chorus::cli
