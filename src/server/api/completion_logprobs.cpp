#include "server/api/completion_logprobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

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

// The same tokens as of top_logprobs, with their ids: [{"id", "token", "logprob"}, ...], or null.
void append_top_tokens(std::string& out, const Engine& engine, const TokenInfo& token,
                       std::int32_t most) {
  if (!token.logprob) {
    out += "null";
    return;
  }
  char before = '[';
  for (const auto& [id, logprob] : with_itself(token, most)) {
    fmt::format_to(std::back_inserter(out), R"({}{{"id":{},"token":{},"logprob":{}}})",
                   std::exchange(before, ','), id, json_string(token_name(engine, id)),
                   json_number(logprob));
  }
  out += ']';
}

}  // namespace

std::string bytes_json(std::string_view bytes) {
  std::string out = "[";
  for (char c : bytes) {
    if (out.size() > 1) out += ',';
    out += std::to_string(static_cast<unsigned char>(c));
  }
  return out + "]";
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; }));
}

std::string token_name(const Engine& engine, std::int32_t id) {
  return chorus::token_name(engine.token_bytes(id));
}

void append_top_logprobs(std::string& out, const Engine& engine, const TokenInfo& token,
                         std::int32_t most) {
  if (!token.logprob) {
    out += "null";
    return;
  }
  char before = '{';
  for (const auto& [id, logprob] : with_itself(token, most)) {
    out += std::exchange(before, ',');
    out += json_string(token_name(engine, id));
    out += ':';
    out += json_number(logprob);
  }
  out += '}';
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
  LogprobColumns row;
  const std::string bytes = engine_->token_bytes(token.id);
  row.tokens = json_string(token_name(*engine_, token.id));
  row.logprobs = json_number(token.logprob);
  append_top_logprobs(row.tops, *engine_, token, form_.most);
  std::size_t offset = characters_.before(bytes);
  row.offsets = std::to_string(offset);
  if (form_.ids) {
    row.ids = std::to_string(token.id);
    row.token_bytes = bytes_json(bytes);
    append_top_tokens(row.top_tokens, *engine_, token, form_.most);
  }
  if (form_.ranks) {
    row.ranks = token.rank ? std::to_string(*token.rank) : "null";
    row.entropies = json_number(token.entropy);
  }
  held_.add(offset, std::move(row));
}

void CompletionLogprobs::release(std::size_t characters) {
  held_.release(characters, [this](LogprobColumns row) {
    for (std::string LogprobColumns::*column : LogprobColumns::kAll) {
      std::string& cells = columns_.*column;
      if (!cells.empty() && !(row.*column).empty()) cells += ',';
      cells += row.*column;
    }
  });
}

std::size_t LogprobColumns::bytes() const {
  std::size_t sum = 0;
  for (std::string LogprobColumns::*column : kAll) sum += (this->*column).size();
  return sum;
}

BodyPieces logprobs_json(const std::shared_ptr<const LogprobColumns>& first,
                         LogprobColumns second) {
  BodyPieces out;
  auto add = [&](const char* begin, std::string LogprobColumns::*column) {
    out.add(begin);
    if (first) out.add(BodyPiece(first, &((*first).*column)));
    if (first && !((*first).*column).empty() && !(second.*column).empty()) out.add(",");
    out.add(std::move(second.*column));
  };
  LogprobForm form = second.form;
  add(R"({"tokens":[)", &LogprobColumns::tokens);
  add(R"(],"token_logprobs":[)", &LogprobColumns::logprobs);
  add(R"(],"top_logprobs":[)", &LogprobColumns::tops);
  add(R"(],"text_offset":[)", &LogprobColumns::offsets);
  if (form.ids) {
    add(R"(],"token_ids":[)", &LogprobColumns::ids);
    add(R"(],"bytes":[)", &LogprobColumns::token_bytes);
    add(R"(],"top_tokens":[)", &LogprobColumns::top_tokens);
  }
  if (form.ranks) {
    add(R"(],"ranks":[)", &LogprobColumns::ranks);
    add(R"(],"entropies":[)", &LogprobColumns::entropies);
  }
  out.add("]}");
  return out;
}

std::string prompt_logprobs_json(const Engine& engine, const std::vector<TokenInfo>& prompt,
                                 std::int32_t most) {
  std::string out;
  auto back = std::back_inserter(out);
  for (const TokenInfo& token : prompt) {
    out += out.empty() ? '[' : ',';
    if (!token.logprob) {
      out += "null";
      continue;
    }
    std::vector<TokenLogprob> all = with_itself(token, most);
    for (std::size_t i = 0; i < all.size(); ++i) {
      std::optional<std::int32_t> rank;
      if (all[i].id == token.id) rank = token.rank;
      if (i < token.top.size() && i < static_cast<std::size_t>(most)) {
        rank = static_cast<std::int32_t>(i) + 1;
      }
      fmt::format_to(back, R"({}"{}":{{"logprob":{},"rank":{},"decoded_token":{}}})",
                     i == 0 ? '{' : ',', all[i].id, json_number(all[i].logprob),
                     rank ? std::to_string(*rank) : "null",
                     json_string(token_name(engine, all[i].id)));
    }
    out += '}';
  }
  return out.empty() ? "[]" : out + "]";
}

}  // namespace chorus::server
