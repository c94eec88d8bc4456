#include "cli/model_source.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "cli/progress.h"
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

void print_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) fmt::print(stderr, "chorus: note: {}\n", note);
}

}  // namespace chorus::cli
