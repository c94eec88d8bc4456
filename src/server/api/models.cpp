#include "server/api/models.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "core/utf8.h"

namespace chorus::server {

Models::Models(std::vector<std::string> names) {
  for (std::string& name : names) models_.push_back({.name = std::move(name)});
}

void Models::set_ready(std::size_t index, std::shared_ptr<Engine> engine,
                       std::shared_ptr<const ChatTemplate> chat_template) {
  std::string digest = engine->digest();
  Lock lock(mutex_);
  models_[index].digest = std::move(digest);
  models_[index].chat_template = std::move(chat_template);
  models_[index].event_batch = batch_of(engine);
  models_[index].engine = std::move(engine);
  models_[index].created = std::time(nullptr);
}

// An engine has one, under however many names.
std::shared_ptr<EventBatch> Models::batch_of(const std::shared_ptr<Engine>& engine) {
  for (const ServedModel& model : models_) {
    if (model.engine == engine) return model.event_batch;
  }
  auto batch = std::make_shared<EventBatch>();
  engine->after_callbacks([batch] { batch->pass_on(); });
  return batch;
}

bool Models::all_ready() const {
  Lock lock(mutex_);
  return std::all_of(models_.begin(), models_.end(),
                     [](const ServedModel& model) { return model.engine != nullptr; });
}

std::vector<ServedModel> Models::all() const {
  Lock lock(mutex_);
  return models_;
}

ApiResult<ServedModel> Models::find(const std::string& name) const {
  Lock lock(mutex_);
  for (const ServedModel& model : models_) {
    if (!name.empty() && model.name != name) continue;
    if (model.engine == nullptr) {
      return ApiError{503, "the model is being loaded", {}, "loading"};
    }
    return model;
  }
  if (name.empty()) return ApiError{503, "no model is loaded", {}, "loading"};
  std::vector<std::string> known;
  for (const ServedModel& model : models_) known.push_back(model.name);
  return ApiError{404,
                  fmt::format("model: expected one of {}, found \"{}\"", fmt::join(known, ", "),
                              replace_ill_formed(name)),
                  "model", "model_not_found"};
}

}  // namespace chorus::server
