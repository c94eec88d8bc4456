#include "library/model_source.h"

#include <filesystem>

#include "core/assets.h"

namespace chorus::library {

Result<std::string> locate_model(const std::string& model, const hub::Progress& progress) {
  std::error_code ignored;
  if (std::filesystem::exists(model, ignored)) return model;
  if (hub::is_model_name(model)) {
    hub::Options options;
    options.progress = progress;
    return hub::fetch(model, options);
  }
  return Error{ErrorCode::kNotFound, model + ": no such file or folder, and not a known name (" +
                                         hub::known_model_names() + ")"};
}

Result<checkpoint::Checkpoint> open_model(const std::string& model,
                                          const checkpoint::OpenOptions& options,
                                          const hub::Progress& progress) {
  if (model.empty()) {
    CHORUS_TRY(Bytes storyteller, embedded_storyteller());
    CHORUS_TRY(auto checkpoint, checkpoint::open(std::move(storyteller), options));
    checkpoint.notes.clear();  // the program's own: nothing about it is unknown
    return checkpoint;
  }
  CHORUS_TRY(std::string path, locate_model(model, progress));
  return checkpoint::open(path, options);
}

}  // namespace chorus::library
