// The keys that clients must show, compared in constant time: how long a comparison takes tells
// nothing of a key. Immutable: any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"
#include "server/http/http_request.h"

namespace chorus::server {

class ApiKeys {
 public:
  explicit ApiKeys(const std::vector<std::string>& keys);

  // Whether the request shows one of the keys, as "Authorization: Bearer KEY" or "X-Api-Key: KEY";
  // without keys every request may.
  bool allow(const HttpRequest& request) const;

  bool are_asked_for() const { return !digests_.empty(); }

  // Of what the prefix cache keeps for a request: who shows another key, or gives another `salt` of
  // their own, does not share it. 0 (what all share) without keys and a salt.
  std::uint64_t cache_salt(const HttpRequest& request, std::string_view salt) const;

 private:
  using Digest = std::array<unsigned char, 32>;

  bool is_known(std::string_view key) const;
  // The key that the request shows and that is known; empty: there is none.
  std::string_view known_key(const HttpRequest& request) const;

  std::vector<Digest> digests_;  // SHA-256, so that all are equally long
};

// The keys of a file: one a line; blank lines and those that begin with # are left out.
// Errors: kNotFound, kIo; kInvalidArgument for a file without keys.
Result<std::vector<std::string>> read_api_keys(const std::string& path);

}  // namespace chorus::server
