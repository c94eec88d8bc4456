#include "server/api/completion_logprobs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/utf8.h"
#include "json/text.h"

namespace chorus::server {
namespace {

// The likeliest tokens, at most so many, and the token itself if it is not among them.
std::vector<TokenLogprob> with_itself(const TokenInfo& token, std::int32_t most) {
  std::vector<TokenLogprob> all = token.top;
  if (all.size() > static_cast<std::size_t>(most)) all.resize(static_cast<std::size_t>(most));
  bool has_it = std::any_of(all.begin(), all.end(),
                            [&](const TokenLogprob& one) { return one.id == token.id; });
  if (!has_it) all.push_back({token.id, *token.logprob});
  return all;
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; }));
}

}  // namespace

std::string token_name(const Engine& engine, std::int32_t id) {
  std::string bytes = engine.token_bytes(id);
  if (is_well_formed(bytes)) return bytes;
  std::string name = "bytes:";
  for (char c : bytes) name += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return name;
}

std::string top_logprobs(const Engine& engine, const TokenInfo& token, std::int32_t most) {
  if (!token.logprob) return "null";
  std::vector<std::string> fields;
  for (const auto& [id, logprob] : with_itself(token, most)) {
    fields.push_back(json_string(token_name(engine, id)) + ":" + json_number(logprob));
  }
  return fmt::format("{{{}}}", fmt::join(fields, ","));
}

std::size_t CharacterCount::before(std::string_view bytes) {
  std::size_t result = count_;
  held_ += bytes;
  std::string whole;
  held_.erase(0, append_well_formed(held_, whole));
  count_ += count_characters(whole);
  return result;
}

void CompletionLogprobs::add(const TokenInfo& token) {
  offsets_.push_back(characters_.before(engine_->token_bytes(token.id)));
  tokens_.push_back(json_string(token_name(*engine_, token.id)));
  logprobs_.push_back(json_number(token.logprob));
  tops_.push_back(top_logprobs(*engine_, token, most_));
}

std::string CompletionLogprobs::take() {
  std::string text = fmt::format(
      R"({{"tokens":[{}],"token_logprobs":[{}],"top_logprobs":[{}],"text_offset":[{}]}})",
      fmt::join(tokens_, ","), fmt::join(logprobs_, ","), fmt::join(tops_, ","),
      fmt::join(offsets_, ","));
  tokens_.clear();
  logprobs_.clear();
  tops_.clear();
  offsets_.clear();
  return text;
}

std::string prompt_logprobs_json(const Engine& engine, const std::vector<TokenInfo>& prompt,
                                 std::int32_t most) {
  std::vector<std::string> rows;
  for (const TokenInfo& token : prompt) {
    if (!token.logprob) {
      rows.emplace_back("null");
      continue;
    }
    std::vector<std::string> fields;
    std::vector<TokenLogprob> all = with_itself(token, most);
    for (std::size_t i = 0; i < all.size(); ++i) {
      bool is_ranked = i < token.top.size() && i < static_cast<std::size_t>(most);
      fields.push_back(fmt::format(R"("{}":{{"logprob":{},"rank":{},"decoded_token":{}}})",
                                   all[i].id, json_number(all[i].logprob),
                                   is_ranked ? std::to_string(i + 1) : "null",
                                   json_string(token_name(engine, all[i].id))));
    }
    rows.push_back(fmt::format("{{{}}}", fmt::join(fields, ",")));
  }
  return fmt::format("[{}]", fmt::join(rows, ","));
}

}  // namespace chorus::server
