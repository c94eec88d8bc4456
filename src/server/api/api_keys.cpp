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

bool is_scheme(std::string_view text) {
  return text.size() == kScheme.size() &&
         ::strncasecmp(text.data(), kScheme.data(), kScheme.size()) == 0;
}

}  // namespace

ApiKeys::ApiKeys(const std::vector<std::string>& keys) {
  for (const std::string& key : keys) digests_.push_back(digest(key));
}

bool ApiKeys::allow(std::string_view authorization) const {
  if (digests_.empty()) return true;
  if (!is_scheme(authorization.substr(0, kScheme.size()))) return false;
  Digest shown = digest(authorization.substr(kScheme.size()));
  int matches = 0;  // all are compared, whichever it is
  for (const Digest& known : digests_) {
    matches += ::CRYPTO_memcmp(known.data(), shown.data(), shown.size()) == 0 ? 1 : 0;
  }
  return matches > 0;
}

// From a hash that nobody can invert or steer: else one could find a salt of one's own under which
// another's texts are kept.
std::uint64_t ApiKeys::cache_salt(std::string_view authorization, std::string_view salt) const {
  if (digests_.empty() && salt.empty()) return 0;
  std::string text;
  if (!digests_.empty()) {
    Digest key = digest(authorization.substr(std::min(authorization.size(), kScheme.size())));
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
