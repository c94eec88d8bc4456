// One file from a URL into the cache: resumed, retried, checked and put in its place. Knows nothing
// of models. The caller holds the lock of the file's folder.
#pragma once

#include <cstdint>
#include <string>

#include "chorus/error.h"
#include "hub/hub.h"

namespace chorus::hub {

struct Download {
  std::string url;
  std::string path;         // where the file shall stand; its folder exists
  std::string name;         // for progress
  std::uint64_t max_bytes;  // more is refused
};

// `options` has its token filled in already. Errors: kNotFound (status 404), kNetwork, kCorrupt
// (length or hash), kIo; the message names the URL or the local file, and what was found and
// expected.
Result<void> download(const Download& download, const Options& options);

}  // namespace chorus::hub
