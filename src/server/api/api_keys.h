// The keys that clients must show, compared in constant time: how long a comparison takes tells
// nothing of a key. Immutable: any thread.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"

namespace chorus::server {

class ApiKeys {
 public:
  explicit ApiKeys(const std::vector<std::string>& keys);

  // Whether `authorization` is "Bearer KEY" with one of the keys; without keys everything is.
  bool allow(std::string_view authorization) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  std::vector<Digest> digests_;  // SHA-256, so that all are equally long
};

// The keys of a file: one a line; blank lines and those that begin with # are left out.
// Errors: kNotFound, kIo; kInvalidArgument for a file without keys.
Result<std::vector<std::string>> read_api_keys(const std::string& path);

}  // namespace chorus::server
