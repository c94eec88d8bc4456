#include "hub/settings.h"

#include <algorithm>
#include <cstdlib>

namespace chorus::hub {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<std::string> default_cache() {
  if (std::string cache = environment("CHORUS_CACHE"); !cache.empty()) return cache;
  std::string xdg = environment("XDG_CACHE_HOME");
  if (xdg.starts_with('/')) return xdg + "/chorus";  // the specification: ignored if relative
  std::string home = environment("HOME");
  if (!home.empty()) return home + "/.cache/chorus";
  return Error{ErrorCode::kInvalidArgument,
               "no folder for models: set CHORUS_CACHE, XDG_CACHE_HOME or HOME"};
}

Result<std::string> checked_endpoint(std::string endpoint) {
  while (endpoint.ends_with('/')) endpoint.pop_back();
  bool is_http = endpoint.starts_with("http://") || endpoint.starts_with("https://");
  bool is_plain = std::all_of(endpoint.begin(), endpoint.end(),
                              [](char c) { return c > ' ' && c <= '~' && c != '?' && c != '#'; });
  if (is_http && is_plain) return endpoint;
  return Error{ErrorCode::kInvalidArgument,
               "HF_ENDPOINT is \"" + endpoint + "\", expected http://... or https://..."};
}

}  // namespace

Result<Options> with_environment(Options options) {
  if (options.endpoint.empty()) options.endpoint = environment("HF_ENDPOINT");
  if (options.endpoint.empty()) options.endpoint = "https://huggingface.co";
  CHORUS_TRY(options.endpoint, checked_endpoint(options.endpoint));
  if (options.cache_dir.empty()) {
    CHORUS_TRY(options.cache_dir, default_cache());
  }
  if (options.token.empty()) options.token = environment("HF_TOKEN");
  // A line end in it would smuggle header lines into the request.
  bool is_plain = std::all_of(options.token.begin(), options.token.end(),
                              [](char c) { return c > ' ' && c <= '~'; });
  if (!is_plain) {
    return Error{ErrorCode::kInvalidArgument, "HF_TOKEN holds characters that no token has"};
  }
  return options;
}

}  // namespace chorus::hub
