// Requests to an engine that belong to one exchange, and their events. When it goes, whatever has
// not ended is cancelled: so an exchange that ends, for whatever reason, frees all it held.
//
// Thread contract: all on the connection's thread, in its coroutine.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chorus/stream.h"
#include "server/api/api_error.h"
#include "server/api/event_queue.h"
#include "server/api/models.h"
#include "server/api/open_choices.h"
#include "server/http/byte_budget.h"
#include "server/http/exchange.h"
#include "server/http/task.h"
#include "server/metrics.h"

namespace chorus::server {

struct App;

class Generation {
 public:
  // `cache_salt`: the client's own, of the prefix cache (ApiKeys).
  Generation(Exchange& exchange, App& app, ServedModel model, std::string_view cache_salt);
  ~Generation();
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  // Adds requests, all of them or none; a request's number is how many were added before. Errors: the
  // engine's.
  ApiResult<void> submit(std::vector<Request> requests);
  ApiResult<void> submit(Request request);
  // Lets the client cancel single choices from now on, by the id that is returned. To be called behind
  // the last submit(), for requests of `samples` each.
  std::string let_cancel(std::int32_t samples);
  // How many requests have not ended.
  std::size_t open() const { return open_; }

  // Waits for events; none if there will be no more for this exchange: the client is gone, or
  // error() says what is the matter. None, too, when `until` has passed.
  Task<std::vector<QueuedEvent>> next(
      Connection::Clock::time_point until = Connection::Clock::time_point::max());
  // The deadline has passed, or the engine has failed.
  const std::optional<ApiError>& error() const { return error_; }

 private:
  struct Sample {
    std::size_t request;
    std::int32_t number;
    std::chrono::steady_clock::time_point last_token;
    std::int32_t tokens;
  };

  void count(const QueuedEvent& queued);  // for the metrics, the log and open()
  void count_token(const QueuedEvent& queued);
  Sample* find(const QueuedEvent& queued);

  Exchange& exchange_;
  Metrics& metrics_;
  OpenChoices& open_choices_;
  ServedModel model_;
  std::uint64_t cache_salt_;
  std::uint64_t key_;     // the key's that was shown; 0: none is asked for
  std::uint64_t client_;  // whose share of the queue it takes: the key's or, without, the address's
  std::shared_ptr<EventQueue> queue_;
  HeldBytes queued_;  // for what waits in it
  std::vector<Stream> streams_;
  std::string cancel_id_;          // by which they may be cancelled one by one; empty: they may not
  std::vector<Sample> samples_;    // that have begun
  std::vector<bool> only_scores_;  // of each request: it generates nothing
  std::int64_t unended_ = 0;       // samples that generate, begun or not
  std::size_t open_ = 0;
  std::optional<ApiError> error_;
};

}  // namespace chorus::server
