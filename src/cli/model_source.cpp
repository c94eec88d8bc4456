#include "cli/model_source.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <optional>

#include "cli/progress.h"
#include "core/assets.h"
#include "hub/hub.h"

namespace chorus::cli {
namespace {

Result<std::string> fetch_with_progress(const std::string& model) {
  std::string current;
  std::optional<ProgressBar> bar;  // of the file `current`
  hub::Options options;
  options.progress = [&](const std::string& name, std::uint64_t done, std::uint64_t total) {
    if (name != current) {
      bar.reset();  // erases the last one before the next begins
      bar.emplace("Fetching " + name);
      current = name;
    }
    bar->update(done, total);
  };
  return hub::fetch(model, options);
}

}  // namespace

Result<std::string> locate_model(const std::string& model) {
  std::error_code ignored;
  if (std::filesystem::exists(model, ignored)) return model;
  if (hub::is_model_name(model)) return fetch_with_progress(model);
  return Error{ErrorCode::kNotFound, model + ": no such file or folder, and not a known name (" +
                                         hub::known_model_names() + ")"};
}

Result<checkpoint::Checkpoint> open_model(const std::string& model,
                                          const checkpoint::OpenOptions& options) {
  if (model.empty()) return checkpoint::open(embedded_storyteller(), options);
  CHORUS_TRY(std::string path, locate_model(model));
  return checkpoint::open(path, options);
}

void print_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) fmt::print(stderr, "chorus: note: {}\n", note);
}

}  // namespace chorus::cli
