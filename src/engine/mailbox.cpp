#include "engine/mailbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace chorus::engine {

namespace {

std::size_t samples_of(const RequestState& state) {
  return static_cast<std::size_t>(state.request.n);
}

}  // namespace

Result<void> Mailbox::post(std::span<const std::shared_ptr<RequestState>> requests) {
  assert(!requests.empty());
  std::size_t samples = 0;
  std::uint64_t id = requests.front()->request.client;
  for (const auto& request : requests) {
    assert(request->stream != nullptr && request->request.n > 0);
    assert(!request->request.prompt.empty() && request->request.client == id);
    samples += samples_of(*request);
  }
  Lock lock(mutex_);
  if (contents_.stop) return Error{ErrorCode::kUnavailable, "the engine is going away"};
  std::shared_ptr<Client> client = id == 0 ? nullptr : client_of(id);
  CHORUS_TRY(check_places(requests, samples, client.get()));
  contents_.requests.insert(contents_.requests.end(), requests.begin(), requests.end());
  posted_ += samples;
  if (client != nullptr) {
    client->waiting += samples;
    for (const auto& request : requests) {
      request->client = client;
      request->places = samples_of(*request);
    }
  }
  if (contents_.requests.size() >= awaited_) changed_.notify_one();
  return ok();
}

Result<void> Mailbox::check_places(std::span<const std::shared_ptr<RequestState>> requests,
                                   std::size_t samples, const Client* client) {
  std::size_t each = samples_of(*requests.front());
  if (each > max_waiting_) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("n: expected at most {}, as many samples as may wait (--max-queue), "
                             "found {}",
                             max_waiting_, each)};
  }
  // A client's requests count as if they came one after the other: behind the others of it there must be
  // as many free places for the last as it has samples waiting then.
  bool has_share = client != nullptr;
  std::size_t others = samples - samples_of(*requests.back());
  std::size_t needed = has_share ? samples + others : samples;
  if (needed > max_waiting_) {
    return Error{
        ErrorCode::kInvalidArgument,
        fmt::format("prompt: expected fewer samples (prompts times n): {} may wait "
                    "(--max-queue){}; found {} prompts with {} samples",
                    max_waiting_,
                    has_share ? ", of one client half of them where nobody else waits" : "",
                    requests.size(), samples)};
  }
  std::size_t waiting = waiting_ + posted_;
  std::size_t free = max_waiting_ - std::min(waiting, max_waiting_);
  if (samples > free) {
    return Error{
        ErrorCode::kOverloaded,
        fmt::format("the queue is full: {} samples wait, at most {} may", waiting, max_waiting_)};
  }
  if (has_share && client->waiting + needed > free) {
    return Error{ErrorCode::kOverloaded,
                 fmt::format("the client's share of the queue is full: {} of its samples wait, and "
                             "it may have no more than there are free places, {}",
                             client->waiting.load(), free)};
  }
  return ok();
}

// Clients who have nothing here are forgotten when there are many.
std::shared_ptr<Client> Mailbox::client_of(std::uint64_t id) {
  constexpr std::size_t kMany = 1024;
  if (clients_.size() >= kMany && clients_.size() >= 2 * (waiting_ + posted_)) {
    std::erase_if(clients_, [](const auto& entry) { return entry.second.use_count() == 1; });
  }
  std::shared_ptr<Client>& client = clients_[id];
  if (client == nullptr) client = std::make_shared<Client>();
  return client;
}

void Mailbox::post_task(std::function<void()> task) {
  Lock lock(mutex_);
  contents_.tasks.push_back(std::move(task));
  changed_.notify_one();
}

void Mailbox::wake() {
  Lock lock(mutex_);
  woken_ = true;
  if (awaited_ == 0) changed_.notify_one();
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

std::size_t Mailbox::posted() const {
  Lock lock(mutex_);
  return contents_.requests.size();
}

void Mailbox::await(std::size_t requests, std::chrono::nanoseconds time) {
  Clock::time_point end = Clock::now() + time;
  Lock lock(mutex_);
  awaited_ = requests;
  while (contents_.requests.size() < requests && !contents_.stop && contents_.tasks.empty()) {
    Clock::time_point now = Clock::now();
    if (now >= end) break;
    changed_.wait_for(mutex_, end - now);
  }
  awaited_ = 0;
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
