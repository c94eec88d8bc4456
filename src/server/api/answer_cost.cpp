#include "server/api/answer_cost.h"

#include <fmt/format.h>

#include "json/text.h"

namespace chorus::server {
namespace {

constexpr std::size_t kChoice = 256;     // an object of a choice, without what it tells
constexpr std::size_t kText = 8;         // a token in a text
constexpr std::size_t kToken = 64;       // its name, log-probability and offset
constexpr std::size_t kTop = 40;         // "name": and a log-probability
constexpr std::size_t kId = 7;           // with a comma
constexpr std::size_t kTokenBytes = 32;  // as numbers
constexpr std::size_t kTopToken = 64;    // {"id", "token", "logprob"}
constexpr std::size_t kPromptTop = 96;   // "id": with log-probability, rank and name
constexpr std::size_t kRankAndEntropy = 32;
constexpr std::size_t kScoredWord = 128;  // its tokens, log-probability and surprisal
constexpr std::size_t kScoredToken = 96;  // id, name, log-probability, surprisal and context

// Of `logprobs`.
std::size_t bytes_of_token(const CompletionsRequest& request) {
  std::size_t top = static_cast<std::size_t>(*request.logprobs) + 1;
  std::size_t bytes = kToken + kTop * top;
  if (request.return_token_ids) bytes += kId + kTokenBytes + kTopToken * top;
  if (request.base.rank_and_entropy) bytes += kRankAndEntropy;
  return bytes;
}

}  // namespace

std::size_t answer_bytes(const CompletionsRequest& request) {
  auto generated = static_cast<std::size_t>(request.max_tokens);
  std::size_t each = kChoice + generated * kText;
  if (request.logprobs) each += generated * bytes_of_token(request);
  if (request.return_token_ids) each += generated * kId;
  std::size_t total = 0;
  for (const Prompt& prompt : request.prompts) {
    std::size_t tokens = prompt.ids.size(), choice = each;
    if (request.echo) {
      std::size_t text = json_string(prompt.text).size();
      choice += text;
      if (request.logprobs) choice += text + tokens * bytes_of_token(request);
    }
    if (request.return_token_ids) choice += tokens * kId;
    if (request.prompt_logprobs) {
      choice += tokens * (static_cast<std::size_t>(*request.prompt_logprobs) + 1) * kPromptTop;
    }
    total += choice * static_cast<std::size_t>(request.base.n);
  }
  return total;
}

std::size_t score_answer_bytes(const ScoreTexts& request, std::size_t tokens) {
  std::size_t total = tokens * (kScoredToken + (request.form.words ? kScoredWord : 0) +
                                (request.form.rank_and_entropy ? kRankAndEntropy : 0));
  for (const std::string& text : request.texts)
    total += kChoice + (request.form.words ? 2 : 1) * json_string(text).size();
  return total + kChoice * request.ids.size();
}

ApiResult<void> check_answer(std::size_t bytes, std::size_t most, const std::string& param,
                             const std::string& of) {
  if (bytes <= most) return ok();
  return ApiError(
      400,
      fmt::format("{}: expected what makes an answer of at most {} bytes (--max-answer), "
                  "found {}, which make about {}: ask for less, or in several requests",
                  param, most, of, bytes),
      param, "answer_too_long");
}

}  // namespace chorus::server
