#include "server/api/api_keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <strings.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "core/system_error.h"

namespace chorus::server {
namespace {

constexpr std::string_view kScheme = "Bearer ";

std::array<unsigned char, 32> digest(std::string_view key) {
  std::array<unsigned char, 32> result;
  ::SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), result.data());
  return result;
}

// The key of "Bearer KEY"; empty if it is no such thing.
std::string_view bearer_key(std::string_view authorization) {
  if (authorization.size() <= kScheme.size() ||
      ::strncasecmp(authorization.data(), kScheme.data(), kScheme.size()) != 0) {
    return {};
  }
  std::size_t begin = authorization.find_first_not_of(' ', kScheme.size());
  return begin == std::string_view::npos ? std::string_view() : authorization.substr(begin);
}

}  // namespace

ApiKeys::ApiKeys(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) digests_.push_back(digest(key));
}

bool ApiKeys::is_known(std::string_view key) const {
  Digest shown = digest(key);
  int matches = 0;  // all are compared, whichever it is
  for (const Digest& known : digests_) {
    matches += ::CRYPTO_memcmp(known.data(), shown.data(), shown.size()) == 0 ? 1 : 0;
  }
  return !key.empty() && matches > 0;
}

std::string_view ApiKeys::known_key(const HttpRequest& request) const {
  for (std::string_view key :
       {bearer_key(request.header("authorization")), request.header("x-api-key")}) {
    if (is_known(key)) return key;
  }
  return {};
}

bool ApiKeys::allow(const HttpRequest& request) const {
  return digests_.empty() || !known_key(request).empty();
}

// From a hash that nobody can invert or steer: else one could find a salt of one's own under which
// another's texts are kept.
std::uint64_t ApiKeys::cache_salt(const HttpRequest& request, std::string_view salt) const {
  if (digests_.empty() && salt.empty()) return 0;
  std::string text;
  if (!digests_.empty()) {
    Digest key = digest(known_key(request));
    text.append(key.begin(), key.end());
  }
  text += salt;
  Digest all = digest(text);
  std::uint64_t result = 0;
  for (std::size_t i = 0; i < sizeof(result); ++i) result = result << 8 | all[i];
  return std::max<std::uint64_t>(result, 1);
}

Result<std::vector<std::string>> read_api_keys(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return system_error(path, errno);
  }
  std::vector<std::string> keys;
  for (std::string line; std::getline(file, line);) {
    line.erase(line.find_last_not_of(" \t\r") + 1);
    line.erase(0, line.find_first_not_of(" \t"));
    if (!line.empty() && line[0] != '#') keys.push_back(line);
  }
  if (keys.empty()) {
    return Error{ErrorCode::kInvalidArgument, path + ": expected a key a line, found none"};
  }
  return keys;
}

}  // namespace chorus::server
