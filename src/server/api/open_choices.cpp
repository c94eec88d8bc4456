#include "server/api/open_choices.h"

#include <fmt/format.h>

#include <random>

namespace chorus::server {

std::string OpenChoices::add(const Answer& answer) {
  std::random_device device;
  std::string id = fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
  Lock lock(mutex_);
  answers_.emplace(id, answer);
  return id;
}

void OpenChoices::remove(const std::string& id) {
  Lock lock(mutex_);
  answers_.erase(id);
}

ApiResult<void> OpenChoices::cancel(const std::string& id, std::uint64_t client,
                                    std::int32_t index) {
  Lock lock(mutex_);
  auto found = answers_.find(id);
  if (found == answers_.end() || found->second.client != client) {
    return ApiError(
        404,
        "id: expected the X-Cancel-Id of an answer that is being streamed by this server to "
        "the same client; there is none of this id, or it has ended",
        "id", "not_found");
  }
  const Answer& answer = found->second;
  auto choices = static_cast<std::int64_t>(answer.streams->size()) * answer.samples;
  if (index < 0 || index >= choices) {
    return bad_field("index", fmt::format("expected 0 to {}, found {}", choices - 1, index));
  }
  (*answer.streams)[static_cast<std::size_t>(index / answer.samples)].cancel(index %
                                                                             answer.samples);
  return ok();
}

}  // namespace chorus::server
