// How many tokens per second this machine allows each model, for who wants to see what a rate is worth. It is
// measured when it is asked for, with the engine's own threads and weights, in moments in which no request runs: of
// the passes each takes a few milliseconds, or as long as one step of a large model.
//
// Thread contract: any thread; one measures at a time.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/mutex.h"
#include "limits/team_limits.h"
#include "server/api/models.h"

namespace chorus::server {

class MachineLimits {
 public:
  // What is known of the model. Measures if nothing is, and again a minute after the last time, since others may
  // have had the machine: the best counts. Nothing as long as there was no idle moment: that of all engines,
  // which are those of `served`. Blocks meanwhile, for a few tenths of a second.
  std::optional<limits::TeamLimits> measure(const ServedModel& model,
                                            const std::vector<ServedModel>& served);

 private:
  struct Known {
    std::optional<limits::TeamLimits> best;
    std::chrono::steady_clock::time_point next;  // when it is measured again
  };
  Mutex mutex_;
  std::unordered_map<const Engine*, Known> known_ CHORUS_GUARDED_BY(mutex_);
};

// The answer of GET /v1/limits. What is not known is null.
std::string limits_json(const ServedModel& model, const std::optional<limits::TeamLimits>& limits);

}  // namespace chorus::server
