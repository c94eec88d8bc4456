#include "server/api/chat_answer.h"

#include <fmt/format.h>

#include <utility>

#include "json/text.h"

namespace chorus::server {
namespace {

std::string entry(const Engine& engine, std::int32_t id, const std::string& logprob) {
  return fmt::format(R"("token":{},"logprob":{},"bytes":{},"id":{})",
                     json_string(token_name(engine, id)), logprob,
                     bytes_json(engine.token_bytes(id)), id);
}

}  // namespace

ChatAnswer::ChatAnswer(const CompletionsRequest& request, AnswerHead head,
                       std::shared_ptr<const Engine> engine)
    : request_(request), head_(std::move(head)), engine_(std::move(engine)) {
  choices_.resize(static_cast<std::size_t>(request.base.n));
  open_ = choices_.size();
  prompt_tokens_ = static_cast<std::int64_t>(request.prompts[0].ids.size());
}

std::string ChatAnswer::row_json(const TokenInfo& token) const {
  std::string tops;
  std::size_t most = static_cast<std::size_t>(*request_.logprobs);
  for (const TokenLogprob& one : token.top) {
    if (most-- == 0) break;
    tops += fmt::format("{}{{{}}}", tops.empty() ? "" : ",",
                        entry(*engine_, one.id, json_number(one.logprob)));
  }
  std::string more;
  if (request_.base.rank_and_entropy) {
    more =
        fmt::format(R"(,"rank":{},"entropy":{})", token.rank ? std::to_string(*token.rank) : "null",
                    json_number(token.entropy));
  }
  return fmt::format(R"({{{}{},"top_logprobs":[{}]}})",
                     entry(*engine_, token.id, json_number(token.logprob)), more, tops);
}

// They end where the text ends, as those of completions do.
void ChatAnswer::add_logprobs(Choice& choice, const Event& event) {
  if (event.kind == Event::Kind::kToken) {
    choice.last_id = event.token.id;
    std::size_t begin = choice.token_characters.before(engine_->token_bytes(event.token.id));
    choice.held.add(begin, {row_json(event.token)});
  }
  choice.characters += count_characters(event.text);
  bool is_whole =
      event.kind == Event::Kind::kDone &&
      !is_cut_by_string(request_.base, engine_->info(), choice.last_id, event.finish_reason);
  std::size_t known =
      request_.base.stop.empty() || is_whole ? static_cast<std::size_t>(-1) : choice.characters;
  choice.held.release(known, [&choice](Row row) {
    if (!choice.rows.empty()) choice.rows += ',';
    choice.rows += row.json;
  });
}

std::string ChatAnswer::add(std::size_t, const Event& event) {
  if (event.kind == Event::Kind::kPrompt) return {};
  auto index = static_cast<std::size_t>(event.sample);
  Choice& choice = choices_[index];
  std::size_t before = choice.rows.size() + choice.held.bytes();
  if (request_.logprobs) add_logprobs(choice, event);
  choice.text += event.text;
  bytes_ += event.text.size() + choice.rows.size() + choice.held.bytes() - before;
  if (event.kind == Event::Kind::kDone) {
    choice.finish_reason = fmt::format("\"{}\"", finish_reason_name(event.finish_reason));
    generated_ += event.usage.generated_tokens;
    if (event.sample == 0) cached_tokens_ += event.usage.cached_tokens;
    --open_;
  }
  return request_.stream ? chunks(index) : std::string();
}

std::string ChatAnswer::opening(const char* object) const {
  return fmt::format(R"("id":"{}","object":"{}","created":{},"model":{})", head_.id, object,
                     head_.created, json_string(head_.model));
}

std::string ChatAnswer::logprobs(Choice& choice) const {
  if (!request_.logprobs) return "null";
  return fmt::format(R"({{"content":[{}],"refusal":null}})", std::exchange(choice.rows, {}));
}

std::string ChatAnswer::chunk(std::size_t index, const std::string& delta,
                              const std::string& logprobs, const std::string& finish_reason) const {
  return sse(fmt::format(
      R"({{{},"choices":[{{"index":{},"delta":{{{}}},"logprobs":{},"finish_reason":{}}}]{}}})",
      opening("chat.completion.chunk"), index, delta, logprobs, finish_reason,
      request_.include_usage ? ",\"usage\":null" : ""));
}

std::string ChatAnswer::chunks(std::size_t index) {
  Choice& choice = choices_[index];
  std::string out;
  if (!std::exchange(choice.has_begun, true)) {
    out += chunk(index, R"("role":"assistant","content":"")", "null", "null");
  }
  if (!choice.text.empty() || !choice.rows.empty()) {
    out += chunk(index, "\"content\":" + json_string(std::exchange(choice.text, {})),
                 choice.rows.empty() ? "null" : logprobs(choice), "null");
  }
  if (!choice.finish_reason.empty()) out += chunk(index, "", "null", choice.finish_reason);
  return out;
}

std::string ChatAnswer::stream_end() const {
  std::string out;
  if (request_.include_usage) {
    out = sse(fmt::format(R"({{{},"choices":[],"usage":{}}})", opening("chat.completion.chunk"),
                          usage_json(prompt_tokens_, generated_, cached_tokens_)));
  }
  return out + sse("[DONE]");
}

BodyPieces ChatAnswer::body() {
  BodyPieces out;
  out.add(fmt::format(R"({{{},"choices":[)", opening("chat.completion")));
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    Choice choice = std::exchange(choices_[i], {});
    out.add(fmt::format(R"({}{{"index":{},"message":{{"role":"assistant","content":)",
                        i == 0 ? "" : ",", i));
    out.add(json_string(choice.text));
    out.add(R"(,"refusal":null},"logprobs":)");
    out.add(logprobs(choice));
    out.add(fmt::format(R"(,"finish_reason":{}}})", choice.finish_reason));
  }
  out.add(fmt::format(R"(],"usage":{}}})", usage_json(prompt_tokens_, generated_, cached_tokens_)));
  return out;
}

}  // namespace chorus::server
