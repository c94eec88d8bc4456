#include "server/api/no_such_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/utf8.h"

namespace chorus::server {
namespace {

constexpr std::size_t kMostShown = 200;  // bytes of the path

// What clients of other servers ask for, by the last part of the path, and is not done here.
constexpr std::pair<std::string_view, std::string_view> kNotDone[] = {
    {"embeddings", "embeddings"},
    {"embedding", "embeddings"},
    {"embed", "embeddings"},
    {"responses", "OpenAI's responses"},
    {"messages", "Anthropic's messages"},
    {"moderations", "moderation"},
    {"rerank", "reranking"},
    {"infill", "infilling"},
    {"edits", "edits"},
    {"generations", "images"},
    {"transcriptions", "audio"},
    {"speech", "audio"},
    {"files", "files"},
    {"batches", "batches"},
    {"jobs", "fine-tuning"},
    {"assistants", "assistants"},
    {"threads", "assistants"},
};

// Last parts of other servers' paths that mean a route of this one.
constexpr std::pair<std::string_view, std::string_view> kOtherNames[] = {
    {"completion", "/v1/completions"},       // llama.cpp
    {"generate_stream", "/v1/completions"},  // TGI
    {"chat", "/v1/chat/completions"},        // Ollama
    {"tags", "/v1/models"},                  // Ollama
    {"ping", "/health"},
    {"healthz", "/health"},
    {"livez", "/health"},
    {"readyz", "/health"},
    {"ready", "/health"},
};

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    std::size_t end = std::min(path.find('/'), path.size());
    if (end > 0) parts.push_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return parts;
}

// How many parts at their ends are the same.
std::size_t common_end(const std::vector<std::string_view>& one,
                       const std::vector<std::string_view>& other) {
  auto [at, ignored] = std::mismatch(one.rbegin(), one.rend(), other.rbegin(), other.rend());
  return static_cast<std::size_t>(at - one.rbegin());
}

// The route whose path ends most like this one; null if none does.
const OfferedRoute* likeliest(std::string_view path, std::span<const OfferedRoute> offered) {
  const std::vector<std::string_view> parts = parts_of(path);
  const OfferedRoute* best = nullptr;
  std::size_t most = 0;
  for (const OfferedRoute& route : offered) {
    std::size_t common = common_end(parts, parts_of(route.path));
    if (common > most) best = &route;
    most = std::max(most, common);
  }
  return best;
}

std::string_view other_name(std::string_view last) {
  for (const auto& [name, path] : kOtherNames) {
    if (name == last) return path;
  }
  return {};
}

std::string hint(std::string_view path, std::span<const OfferedRoute> offered) {
  const std::vector<std::string_view> parts = parts_of(path);
  std::string_view last = parts.empty() ? std::string_view() : parts.back();
  if (last == "v1") {
    return "this is what the base URL of OpenAI's clients ends with; they ask for "
           "/v1/completions, /v1/chat/completions and /v1/models";
  }
  for (const auto& [name, what] : kNotDone) {
    if (name == last) {
      return fmt::format("this server has no {}; for text there is POST /v1/completions", what);
    }
  }
  if (std::find(parts.begin(), parts.end(), "generate") != parts.end() && last != "generate") {
    return "did you mean GET /generate/PROMPT?";
  }
  std::string_view meant = other_name(last);
  const OfferedRoute* route = likeliest(meant.empty() ? path : meant, offered);
  if (route == nullptr) return "GET / lists the routes";
  return fmt::format("did you mean {} {}?", route->method, route->path);
}

}  // namespace

std::string plain_path(std::string_view path) {
  std::string plain;
  for (char c : path) {
    if (c != '/' || !plain.ends_with('/')) plain += c;
  }
  if (plain.size() > 1 && plain.ends_with('/')) plain.pop_back();
  return plain;
}

ApiError no_such_path(std::string_view path, std::span<const OfferedRoute> offered) {
  std::string shown = replace_ill_formed(path.substr(0, kMostShown));
  if (path.size() > kMostShown) shown += "...";
  return ApiError(404, fmt::format("no such path: \"{}\"; {}", shown, hint(path, offered)), {},
                  "not_found");
}

}  // namespace chorus::server
