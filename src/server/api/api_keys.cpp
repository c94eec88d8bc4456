#include "server/api/api_keys.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <strings.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <utility>

#include "core/system_error.h"

namespace chorus::server {
namespace {

constexpr std::string_view kScheme = "Bearer ";
constexpr std::size_t kMostBytesOfKeys = 1024 * 1024;

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

ApiKeys::ApiKeys(const std::vector<std::string>& keys) { replace(keys); }

void ApiKeys::replace(const std::vector<std::string>& keys) {
  auto digests = std::make_shared<Digests>();
  for (const std::string& key : keys) digests->push_back(digest(key));
  Lock lock(mutex_);
  digests_ = std::move(digests);
}

std::shared_ptr<const ApiKeys::Digests> ApiKeys::digests() const {
  Lock lock(mutex_);
  return digests_;
}

bool ApiKeys::is_known(const Digests& digests, std::string_view key) {
  Digest shown = digest(key);
  int matches = 0;  // all are compared, whichever it is
  for (const Digest& known : digests) {
    matches += ::CRYPTO_memcmp(known.data(), shown.data(), shown.size()) == 0 ? 1 : 0;
  }
  return !key.empty() && matches > 0;
}

std::string_view ApiKeys::known_key(const Digests& digests, const HttpRequest& request) {
  for (std::string_view key :
       {bearer_key(request.header("authorization")), request.header("x-api-key")}) {
    if (is_known(digests, key)) return key;
  }
  return {};
}

bool ApiKeys::allow(const HttpRequest& request) const {
  std::shared_ptr<const Digests> known = digests();
  return known->empty() || !known_key(*known, request).empty();
}

// From a hash that nobody can invert or steer: else one could find a salt of one's own under which
// another's texts are kept.
std::uint64_t ApiKeys::cache_salt(const HttpRequest& request, std::string_view salt) const {
  std::shared_ptr<const Digests> known = digests();
  if (known->empty() && salt.empty()) return 0;
  std::string text;
  if (!known->empty()) {
    Digest key = digest(known_key(*known, request));
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
  std::string text(kMostBytesOfKeys + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMostBytesOfKeys) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("{}: expected keys in at most {} bytes", path, kMostBytesOfKeys)};
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  std::vector<std::string> keys;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
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
