#include "job.h"

#include <utility>

#include "python_values.h"
#include "waiting.h"

namespace nb = nanobind;

namespace chorus::python {

struct Job::State {
  bool streams = false, wants_tokens = false;
  std::optional<Notice> notice = {};

  mutable std::mutex mutex = {};
  std::condition_variable changed = {};
  std::vector<Completion> samples = {};  // `tokens` holds the result's alone
  std::deque<Piece> pieces = {};
  std::optional<Error> error = {};
  bool done = false, cancelled = false;  // cancelled: by the caller
  bool announced = false;                // a notice is out, and nothing was taken since

  // On the engine's thread.
  void on_event(Event event) {
    std::unique_lock lock(mutex);
    Completion& sample = samples[static_cast<std::size_t>(event.sample)];
    bool tells = false;
    switch (event.kind) {
      case Event::Kind::kPrompt:
        sample.prompt = std::move(event.prompt);
        break;
      case Event::Kind::kToken:
        sample.tokens.push_back(event.token.id);
        sample.text += event.text;
        tells = true;
        if (wants_tokens) sample.result.push_back(event.token);
        break;
      case Event::Kind::kDone:
        sample.finish_reason = event.finish_reason;
        sample.usage = event.usage;
        sample.text += event.text;
        tells = !event.text.empty();
        break;
      case Event::Kind::kError:
        if (!error) error = std::move(event.error);
        break;
    }
    done = done || event.last;
    if (streams && tells) {
      pieces.push_back({event.sample, std::move(event.text), {}});
      if (event.kind == Event::Kind::kToken) pieces.back().token = std::move(event.token);
    }
    bool news = event.last || (streams && tells);
    if (!news) return;
    bool announces = notice && (event.last || !std::exchange(announced, true));
    changed.notify_all();
    lock.unlock();
    if (announces) notice->queue->push(notice->key);
  }
};

Result<std::unique_ptr<Job>> Job::submit(Engine& engine, Request request, bool streams,
                                         std::optional<Notice> notice) {
  auto state = std::make_shared<State>();
  state->streams = streams;
  state->wants_tokens = request.logprobs.has_value();
  state->notice = std::move(notice);
  state->samples.resize(static_cast<std::size_t>(std::max(request.n, 0)));
  std::unique_ptr<Job> job(new Job(state));
  CHORUS_TRY(job->stream_, engine.submit(std::move(request), [state](Event event) {
    state->on_event(std::move(event));
  }));
  return job;
}

Job::~Job() {
  guard_.dispose(stream_);
  guard_.dispose(state_);
}

void Job::fail_if_failed(std::unique_lock<std::mutex>& lock) const {
  std::optional<Error> error = state_->error;
  if (!error && !state_->cancelled) {
    for (const Completion& sample : state_->samples) {
      if (sample.finish_reason == FinishReason::kCancelled) {
        error = Error{ErrorCode::kUnavailable, "the engine was closed"};
      }
    }
  }
  if (!error) return;
  lock.unlock();
  fail(std::move(*error));
}

nb::list Job::result() {
  guard_.check();
  try {
    wait_for([this](std::chrono::milliseconds slice) {
      std::unique_lock lock(state_->mutex);
      return state_->changed.wait_for(lock, slice, [this] { return state_->done; });
    });
  } catch (...) {
    cancel();
    throw;
  }
  std::unique_lock lock(state_->mutex);
  fail_if_failed(lock);
  std::vector<Completion> samples = state_->samples;
  lock.unlock();
  nb::list result;
  for (const Completion& sample : samples) {
    result.append(completion_tuple(sample, state_->wants_tokens));
  }
  return result;
}

nb::object Job::next() {
  guard_.check();
  std::optional<Piece> piece;
  try {
    wait_for([&](std::chrono::milliseconds slice) {
      std::unique_lock lock(state_->mutex);
      state_->changed.wait_for(lock, slice,
                               [this] { return state_->done || !state_->pieces.empty(); });
      if (state_->pieces.empty()) return state_->done;
      piece = std::move(state_->pieces.front());
      state_->pieces.pop_front();
      return true;
    });
  } catch (...) {
    cancel();
    throw;
  }
  if (piece) return piece_tuple(*piece);
  std::unique_lock lock(state_->mutex);
  fail_if_failed(lock);
  return nb::none();
}

nb::tuple Job::take() {
  guard_.check();
  std::unique_lock lock(state_->mutex);
  std::deque<Piece> pieces = std::exchange(state_->pieces, {});
  state_->announced = false;
  bool done = state_->done;
  lock.unlock();
  nb::list list;
  for (const Piece& piece : pieces) list.append(piece_tuple(piece));
  return nb::make_tuple(list, done);
}

bool Job::done() const {
  guard_.check();
  std::lock_guard lock(state_->mutex);
  return state_->done;
}

void Job::cancel() {
  if (!guard_.is_here()) return;
  {
    std::lock_guard lock(state_->mutex);
    state_->cancelled = true;
  }
  stream_.cancel();
}

}  // namespace chorus::python
