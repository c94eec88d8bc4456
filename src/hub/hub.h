// Models by name: fetched once over HTTP and kept in a cache folder. Knows nothing of what is in
// them. Functions may be called from any thread; two processes may fetch the same model at once:
// one fetches, the other waits for it.
//
// The cache: <cache>/models/<owner>--<name>/<file>, with @<revision> behind the name if it is not
// main. A file that stands there is whole and was checked; one that is still being fetched is
// called <file>.partial, and a later call goes on from it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "chorus/error.h"

namespace chorus::hub {

// Bytes done so far and in all (0 if the server did not say) of the file `name`. Must not throw.
using Progress =
    std::function<void(const std::string& name, std::uint64_t done, std::uint64_t total)>;

struct Options {
  std::string endpoint;  // default: $HF_ENDPOINT, else https://huggingface.co
  std::string
      cache_dir;      // default: $CHORUS_CACHE, else $XDG_CACHE_HOME/chorus, else ~/.cache/chorus
  std::string token;  // sent to the endpoint's host only; default: $HF_TOKEN, else none
  Progress progress;  // may be empty
  // A transfer that breaks off is tried again this many times, counted anew whenever it got
  // further, after a wait that starts with retry_delay and doubles.
  int retries = 5;
  std::chrono::milliseconds retry_delay{500};
  std::chrono::seconds connect_timeout{15};
  std::chrono::seconds stall_timeout{30};  // under 1 kB/s for so long is a broken transfer
};

// Whether `model` is a name that fetch() knows (gpt2, gpt2-medium, gpt2-large, gpt2-xl, distilgpt2,
// hf:owner/name, parallelopedia) rather than a path. Everything that begins with "hf:" is a name.
bool is_model_name(const std::string& model);

// The names that there are, for messages: "gpt2, gpt2-medium, ..., hf:owner/name".
std::string known_model_names();

// The path of the model in the cache, fetched if it is not there yet: a folder with config.json and
// its safetensors, or (parallelopedia) a file. A model that is there whole needs no network.
// `hf:owner/name@revision` takes a branch, tag or commit.
// Errors: kInvalidArgument (not such a name), kNetwork, kCorrupt (length or hash not as the server
// stated), kIo, kNotFound.
Result<std::string> fetch(const std::string& model, const Options& options = {});

// The path that fetch() would give without the network; empty: the model is not in the cache, or not
// whole. Errors: kInvalidArgument.
Result<std::string> find_in_cache(const std::string& model, const Options& options = {});

}  // namespace chorus::hub
