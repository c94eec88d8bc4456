#include "cli/model_source.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>

#include "cli/option_checks.h"
#include "cli/progress.h"
#include "core/assets.h"
#include "library/model_source.h"

namespace chorus::cli {
namespace {

// Shows a bar for each file that is fetched.
hub::Progress progress_bars() {
  struct Shown {
    std::string name;
    std::optional<ProgressBar> bar;
  };
  auto shown = std::make_shared<Shown>();
  return [shown](const std::string& name, std::uint64_t done, std::uint64_t total) {
    if (name != shown->name) {
      shown->bar.reset();  // erases the last one before the next begins
      shown->bar.emplace("Fetching " + name);
      shown->name = name;
    }
    shown->bar->update(done, total);
  };
}

}  // namespace

Result<std::string> locate_model(const std::string& model) {
  return library::locate_model(model, progress_bars());
}

Result<checkpoint::Checkpoint> open_model(const std::string& model,
                                          const checkpoint::OpenOptions& options) {
  return library::open_model(model, options, progress_bars());
}

Result<checkpoint::Listing> list_model(const std::string& model,
                                       const checkpoint::OpenOptions& options) {
  if (model.empty()) {
    CHORUS_TRY(auto checkpoint, open_model(model, options));
    return checkpoint::Listing{std::move(checkpoint), std::nullopt};
  }
  CHORUS_TRY(std::string path, locate_model(model));
  return checkpoint::list(path, options);
}

void add_open_options(CLI::App& command, checkpoint::OpenOptions& options) {
  command
      .add_option_function<std::string>(
          "--tokenizer", [&options](const std::string& text) { options.tokenizer = text; },
          "Tokenizer: a folder or file (tokenizer.json, vocab.json, meta.pkl), gpt2, or none, with "
          "which ids alone are taken and given (default: the model's own)")
      ->transform(not_empty("a path, gpt2 or none"))
      ->type_name("PATH|gpt2|none");
  command
      .add_option("--n-head", options.n_head,
                  "Attention heads of a checkpoint that does not state them (default: as its kind "
                  "or shape has them, which is said)")
      ->transform(whole_number(1))
      ->type_name("N");
  command
      .add_option_function<std::string>(
          "--activation",
          [&options](const std::string& name) {
            options.activation = checkpoint::parse_activation(name);
          },
          "The MLP's activation, whatever the checkpoint says: gelu (erf, as nn.GELU() and nanoGPT "
          "have it), gelu_new (tanh, as GPT-2 and build-nanogpt) or relu (default: as stated, else "
          "as its kind has it, which is said)")
      ->check(CLI::IsMember({"gelu", "gelu_new", "relu"}))
      ->type_name("NAME");
}

void print_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) fmt::print(stderr, "chorus: note: {}\n", note);
}

std::string default_model_help() {
  return embedded_storyteller() ? "(default: the storyteller in this program)"
                                : "(needed: no model is in this program)";
}

}  // namespace chorus::cli
