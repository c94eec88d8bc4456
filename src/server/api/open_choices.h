// The streamed answers whose choices may be cancelled one by one, each by an id that nobody can guess and
// that only its client is told.
//
// Thread contract: any thread. A stream is cancelled under the lock under which it is taken out, so it is
// there.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "chorus/stream.h"
#include "core/mutex.h"
#include "server/api/api_error.h"

namespace chorus::server {

class OpenChoices {
 public:
  struct Answer {
    std::vector<Stream>* streams;  // of its prompts, in order
    std::int32_t samples;          // of each
    std::uint64_t client;          // of the key that was shown; 0: none is asked for
  };

  // 32 hexadecimal digits of the system's random numbers.
  std::string add(const Answer& answer);
  // From here on nothing refers to its streams.
  void remove(const std::string& id);

  // Choice `index` ends before the next step, if it has not. Errors: 404 for an id that there is not (any
  // more), or that was given to another client; 400 for a choice that there is not.
  ApiResult<void> cancel(const std::string& id, std::uint64_t client, std::int32_t index);

 private:
  Mutex mutex_;
  std::unordered_map<std::string, Answer> answers_ CHORUS_GUARDED_BY(mutex_);
};

}  // namespace chorus::server
