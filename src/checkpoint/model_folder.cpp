#include "checkpoint/model_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>

#include "core/error_text.h"
#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModelFiles[] = {"config.json", "model.safetensors",
                                       "model.safetensors.index.json", "pytorch_model.bin",
                                       "pytorch_model.bin.index.json"};

bool holds_a_model(const fs::path& folder) {
  std::error_code ignored;
  return std::ranges::any_of(kModelFiles,
                             [&](const char* name) { return fs::exists(folder / name, ignored); });
}

// The step of "checkpoint-STEP".
std::optional<std::uint64_t> step_of(const std::string& name) {
  constexpr std::string_view kStart = "checkpoint-";
  std::uint64_t step = 0;
  if (!name.starts_with(kStart)) return std::nullopt;
  const char* end = name.data() + name.size();
  auto [stopped, error] = std::from_chars(name.data() + kStart.size(), end, step);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return step;
}

// Folders in `folder` that hold a model, in the order of their names.
std::vector<fs::path> models_in(const fs::path& folder) {
  constexpr std::size_t kMost = 1024;
  std::vector<fs::path> found;
  std::error_code ignored;
  for (fs::directory_iterator item(folder, ignored), end;
       !ignored && item != end && found.size() < kMost; item.increment(ignored)) {
    if (holds_a_model(item->path())) found.push_back(item->path());
  }
  std::ranges::sort(found);
  return found;
}

std::string names_of(const std::vector<fs::path>& paths) {
  constexpr std::size_t kMost = 8;
  std::vector<std::string> names;
  for (const fs::path& path : paths) names.push_back(in_quotes(path.filename().string()));
  return listed(names, kMost);
}

}  // namespace

Result<ModelFolder> find_model_folder(const std::string& folder) {
  fs::path place(folder);
  if (holds_a_model(place)) return ModelFolder{folder, {}};
  std::error_code ignored;
  const fs::path snapshots = place / "snapshots";
  const bool is_cache = fs::is_directory(snapshots, ignored);
  std::vector<fs::path> found = models_in(is_cache ? snapshots : place);
  if (!is_cache && fs::path(folder).filename() != "snapshots") {
    std::erase_if(found, [](const fs::path& path) { return !step_of(path.filename().string()); });
    std::ranges::sort(found, {},
                      [](const fs::path& path) { return step_of(path.filename().string()); });
  }
  if (found.empty()) return ModelFolder{folder, {}};
  if (found.size() == 1) {
    return ModelFolder{found[0].string(),
                       {fmt::format("the model is that of {}", found[0].string())}};
  }
  return Error{ErrorCode::kNotFound,
               fmt::format("{}: a folder of several models, {}: give the one that is meant, for "
                           "example {}",
                           folder, names_of(found), found.back().string())};
}

}  // namespace chorus::checkpoint
