#include "server/api/generation.h"

#include <algorithm>
#include <functional>
#include <new>
#include <utility>

#include "server/api/respond.h"
#include "server/app.h"
#include "server/http/client_address.h"

namespace chorus::server {

namespace {

std::uint64_t client_of(const ApiKeys& keys, const Exchange& exchange) {
  if (keys.are_asked_for()) return keys.cache_salt(exchange.request(), {});
  return std::hash<std::string>{}(network_of(exchange.client())) | 1;
}

}  // namespace

Generation::Generation(Exchange& exchange, App& app, ServedModel model, std::string_view cache_salt)
    : exchange_(exchange),
      metrics_(app.metrics),
      open_choices_(app.open_choices),
      model_(std::move(model)),
      cache_salt_(app.keys.cache_salt(exchange.request(), cache_salt)),
      key_(app.keys.cache_salt(exchange.request(), {})),
      client_(client_of(app.keys, exchange)),
      queued_(exchange.hold()) {
  Connection& connection = exchange.connection();
  auto wake = [this, &connection](std::size_t bytes) {
    if (connection.is_writing() && bytes > connection.service().options.max_buffer) {
      return connection.abort("slow reader");
    }
    if (!queued_.resize(bytes) && connection.is_writing()) {
      return connection.abort("no buffers for a slow reader");
    }
    connection.signal().raise();
  };
  queue_ = std::make_shared<EventQueue>(connection.loop().context().get_executor(), wake,
                                        model_.event_batch);
  exchange.model = model_.name;
}

Generation::~Generation() {
  queue_->detach();
  if (!cancel_id_.empty()) open_choices_.remove(cancel_id_);
  streams_.clear();  // cancels
  try {
    for (const QueuedEvent& queued : queue_->take()) count(queued);
    // Their last events come when nobody listens any more.
    metrics_.samples_cancelled(model_.name, unended_);
  } catch (const std::bad_alloc&) {  // then they are not counted
  }
}

std::string Generation::let_cancel(std::int32_t samples) {
  cancel_id_ = open_choices_.add({&streams_, samples, key_});
  return cancel_id_;
}

ApiResult<void> Generation::submit(std::vector<Request> requests) {
  // What is kept of the requests has its place before the first event can come.
  std::size_t before = streams_.size(), count = requests.size();
  if (before + count > streams_.capacity()) streams_.reserve(2 * before + count);
  only_scores_.resize(before + count);
  std::int64_t samples = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Request& request = requests[i];
    exchange_.prompt_tokens += static_cast<std::int64_t>(request.prompt.size());
    bool only_scores = static_cast<std::size_t>(request.max_length) <= request.prompt.size();
    only_scores_[before + i] = only_scores;
    if (!only_scores) samples += request.n;
    request.cache_salt = cache_salt_;
    request.client = client_;
  }
  Result<std::vector<Stream>> streams = model_.engine->submit(
      std::move(requests),
      [this, before](std::size_t request) { return queue_->callback(before + request); });
  if (!streams) return to_api_error(streams.assume_error());
  for (Stream& stream : streams.assume_value()) streams_.push_back(std::move(stream));
  open_ += count;
  unended_ += samples;
  return ok();
}

ApiResult<void> Generation::submit(Request request) {
  std::vector<Request> requests;
  requests.push_back(std::move(request));
  return submit(std::move(requests));
}

Task<std::vector<QueuedEvent>> Generation::next(Connection::Clock::time_point until) {
  Connection& connection = exchange_.connection();
  while (!connection.is_gone() && !error_) {
    std::vector<QueuedEvent> events = queue_->take();
    queued_.clear();
    if (queue_->has_lost()) {
      error_ = out_of_memory();
      break;
    }
    for (const QueuedEvent& queued : events) count(queued);
    if (error_) break;
    if (!events.empty()) co_return events;
    if (connection.is_expired()) {
      error_ = not_done(exchange_);
      break;
    }
    if (Connection::Clock::now() >= until) break;
    connection.wake_at(until);
    co_await connection.wait();
  }
  co_return std::vector<QueuedEvent>{};
}

Generation::Sample* Generation::find(const QueuedEvent& queued) {
  auto sample = std::find_if(samples_.begin(), samples_.end(), [&](const Sample& one) {
    return one.request == queued.request && one.number == queued.event.sample;
  });
  return sample == samples_.end() ? nullptr : &*sample;
}

void Generation::count_token(const QueuedEvent& queued) {
  ++exchange_.generated_tokens;
  Sample* sample = find(queued);
  if (sample == nullptr) {
    samples_.push_back({queued.request, queued.event.sample, queued.time, 1});
    return;
  }
  ++sample->tokens;
  std::chrono::duration<double> gap = queued.time - sample->last_token;
  metrics_.token_gap(model_.name, gap.count());
  sample->last_token = queued.time;
}

void Generation::count(const QueuedEvent& queued) {
  const Event& event = queued.event;
  if (event.last) --open_;
  switch (event.kind) {
    case Event::Kind::kPrompt:
      break;
    case Event::Kind::kToken:
      count_token(queued);
      break;
    case Event::Kind::kDone: {
      if (only_scores_[queued.request]) {
        metrics_.scored(model_.name);
        break;
      }
      --unended_;
      const Sample* sample = find(queued);  // not every token has an event of its own
      exchange_.generated_tokens += event.usage.generated_tokens - (sample ? sample->tokens : 0);
      metrics_.sample_done(model_.name, event.finish_reason, event.usage);
      break;
    }
    case Event::Kind::kError:
      if (!only_scores_[queued.request]) --unended_;
      if (!error_) error_ = to_api_error(event.error);
      break;
  }
}

}  // namespace chorus::server
