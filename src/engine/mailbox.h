// The one door into the engine's thread: what others want of it, and how it is woken. Streams keep
// it alive beyond the engine.
//
// Thread contract: any thread posts; the engine's thread alone waits and takes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "chorus/error.h"
#include "core/mutex.h"
#include "engine/sequence.h"

namespace chorus::engine {

class Mailbox {
 public:
  struct Contents {
    std::vector<std::shared_ptr<RequestState>> requests;
    std::vector<std::function<void()>> tasks;  // to be run between two steps
    bool stop = false;
  };

  explicit Mailbox(std::size_t max_waiting) : max_waiting_(max_waiting) {}

  // Requests of one client, all of them or none. Errors: kOverloaded if with their samples more than
  // max_waiting would wait, or of the client more than there are free places (Request::client);
  // kInvalidArgument if that would always be so. Throws std::bad_alloc, and then nothing was posted.
  Result<void> post(std::span<const std::shared_ptr<RequestState>> requests);
  void post_task(std::function<void()> task);
  void wake();
  void stop();

  // What has come since the last call; waits for something if there is nothing, if `wait`.
  Contents take(bool wait);
  // How many requests take() would give.
  std::size_t posted() const;
  // Waits until they are `requests`, or the engine is to stop or to do a task, at most so long. What
  // is cancelled meanwhile is no reason to return.
  void await(std::size_t requests, std::chrono::nanoseconds time);
  // How many samples wait in the engine beyond those still here.
  void set_waiting(std::size_t samples);
  std::size_t waiting() const;

 private:
  Result<void> check_places(std::span<const std::shared_ptr<RequestState>> requests,
                            std::size_t samples, const Client* client) CHORUS_REQUIRES(mutex_);
  std::shared_ptr<Client> client_of(std::uint64_t id) CHORUS_REQUIRES(mutex_);

  const std::size_t max_waiting_;

  mutable Mutex mutex_;
  Condition changed_;
  Contents contents_ CHORUS_GUARDED_BY(mutex_);
  bool woken_ CHORUS_GUARDED_BY(mutex_) = false;
  std::size_t awaited_ CHORUS_GUARDED_BY(mutex_) = 0;  // requests; fewer need not wake anybody
  std::size_t posted_ CHORUS_GUARDED_BY(mutex_) = 0;   // samples in contents_
  std::size_t waiting_ CHORUS_GUARDED_BY(mutex_) = 0;  // samples in the engine
  std::unordered_map<std::uint64_t, std::shared_ptr<Client>> clients_ CHORUS_GUARDED_BY(mutex_);
};

}  // namespace chorus::engine
