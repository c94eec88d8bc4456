#include "engine/mailbox.h"

#include <fmt/format.h>

#include <cassert>
#include <utility>

namespace chorus::engine {

Result<void> Mailbox::post(std::shared_ptr<RequestState> request) {
  assert(request->stream != nullptr && request->request.n > 0 && !request->request.prompt.empty());
  auto samples = static_cast<std::size_t>(request->request.n);
  Lock lock(mutex_);
  if (contents_.stop) return Error{ErrorCode::kUnavailable, "the engine is going away"};
  if (waiting_ + posted_ + samples > max_waiting_) {
    return Error{ErrorCode::kOverloaded,
                 fmt::format("the queue is full: {} samples wait, at most {} "
                             "may",
                             waiting_ + posted_, max_waiting_)};
  }
  contents_.requests.push_back(std::move(request));
  posted_ += samples;
  changed_.notify_one();
  return ok();
}

void Mailbox::post_task(std::function<void()> task) {
  Lock lock(mutex_);
  contents_.tasks.push_back(std::move(task));
  changed_.notify_one();
}

void Mailbox::wake() {
  Lock lock(mutex_);
  woken_ = true;
  changed_.notify_one();
}

void Mailbox::stop() {
  Lock lock(mutex_);
  contents_.stop = true;
  changed_.notify_one();
}

Mailbox::Contents Mailbox::take(bool wait) {
  Lock lock(mutex_);
  while (wait && !woken_ && !contents_.stop && contents_.requests.empty() &&
         contents_.tasks.empty()) {
    changed_.wait(mutex_);
  }
  woken_ = false;
  waiting_ += std::exchange(posted_, 0);
  bool stop = contents_.stop;
  return std::exchange(contents_, Contents{.requests = {}, .tasks = {}, .stop = stop});
}

void Mailbox::set_waiting(std::size_t samples) {
  Lock lock(mutex_);
  waiting_ = samples;
}

std::size_t Mailbox::waiting() const {
  Lock lock(mutex_);
  return waiting_ + posted_;
}

}  // namespace chorus::engine
