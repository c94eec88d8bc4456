// The keys that clients must show, compared in constant time: how long a comparison takes tells
// nothing of a key. They may be replaced while requests are answered.
//
// Thread contract: any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"
#include "core/mutex.h"
#include "server/http/http_request.h"

namespace chorus::server {

class ApiKeys {
 public:
  explicit ApiKeys(const std::vector<std::string>& keys);

  // From here on these are the keys.
  void replace(const std::vector<std::string>& keys);

  // Whether the request shows one of the keys, as "Authorization: Bearer KEY" or "X-Api-Key: KEY";
  // without keys every request may.
  bool allow(const HttpRequest& request) const;

  bool are_asked_for() const { return !digests()->empty(); }

  // Of what the prefix cache keeps for a request: who shows another key, or gives another `salt` of
  // their own, does not share it. 0 (what all share) without keys and a salt.
  std::uint64_t cache_salt(const HttpRequest& request, std::string_view salt) const;

 private:
  using Digest = std::array<unsigned char, 32>;  // SHA-256, so that all are equally long
  using Digests = std::vector<Digest>;

  std::shared_ptr<const Digests> digests() const;
  static bool is_known(const Digests& digests, std::string_view key);
  // The key that the request shows and that is known; empty: there is none.
  static std::string_view known_key(const Digests& digests, const HttpRequest& request);

  mutable Mutex mutex_;
  std::shared_ptr<const Digests> digests_ CHORUS_GUARDED_BY(mutex_);
};

// The keys of a file: one a line; blank lines, those that begin with # and a byte order mark are left
// out.
// Errors: kNotFound, kIo; kInvalidArgument for a file without keys.
Result<std::vector<std::string>> read_api_keys(const std::string& path);

}  // namespace chorus::server
