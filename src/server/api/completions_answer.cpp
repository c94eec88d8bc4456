#include "server/api/completions_answer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "json/text.h"

namespace chorus::server {
namespace {

std::string or_null(const std::string& json) { return json.empty() ? "null" : json; }

}  // namespace

std::string sse(const std::string& data) { return "data: " + data + "\n\n"; }

CompletionsAnswer::CompletionsAnswer(const CompletionsRequest& request, CompletionsHead head,
                                     std::shared_ptr<const Engine> engine)
    : request_(request), head_(std::move(head)), engine_(std::move(engine)) {
  choices_.resize(request.prompts.size() * static_cast<std::size_t>(request.base.n));
  open_ = choices_.size();
  for (Choice& choice : choices_) {
    if (request.logprobs) choice.logprobs.emplace(*engine_, *request.logprobs);
  }
  for (const Prompt& prompt : request.prompts) {
    prompt_tokens_ += static_cast<std::int64_t>(prompt.ids.size());
  }
}

std::size_t CompletionsAnswer::first_choice(std::size_t prompt) const {
  return prompt * static_cast<std::size_t>(request_.base.n);
}

std::string CompletionsAnswer::add(std::size_t prompt, const Event& event) {
  if (event.kind == Event::Kind::kPrompt) return add_prompt(prompt, event);
  return add_to_choice(first_choice(prompt) + static_cast<std::size_t>(event.sample), event);
}

// The engine tells a prompt's tokens once; each of its choices begins with them.
std::string CompletionsAnswer::add_prompt(std::size_t prompt, const Event& event) {
  std::string prompt_logprobs;
  if (request_.prompt_logprobs) {
    prompt_logprobs = prompt_logprobs_json(*engine_, event.prompt, *request_.prompt_logprobs);
  }
  std::string out;
  for (std::size_t i = first_choice(prompt); i < first_choice(prompt + 1); ++i) {
    Choice& choice = choices_[i];
    choice.prompt_logprobs = prompt_logprobs;
    if (request_.echo) {
      if (choice.logprobs) {
        for (const TokenInfo& token : event.prompt) choice.logprobs->add(token);
      }
      if (!request_.stream) choice.text = request_.prompts[prompt].text;
    }
    if (!request_.stream) continue;
    out += chunk(i, request_.echo ? request_.prompts[prompt].text : "", request_.echo);
  }
  return out;
}

std::string CompletionsAnswer::add_to_choice(std::size_t index, const Event& event) {
  Choice& choice = choices_[index];
  bool is_token = event.kind == Event::Kind::kToken;
  if (is_token && choice.logprobs) choice.logprobs->add(event.token);
  if (event.kind == Event::Kind::kDone) {
    choice.finish_reason = fmt::format("\"{}\"", finish_reason_name(event.finish_reason));
    generated_ += event.usage.generated_tokens;
    if (event.sample == 0) cached_tokens_ += event.usage.cached_tokens;
    --open_;
  }
  if (request_.stream) return chunk(index, event.text, is_token);
  choice.text += event.text;
  return {};
}

std::string CompletionsAnswer::opening() const {
  return fmt::format(R"("id":"{}","object":"text_completion","created":{},"model":{})", head_.id,
                     head_.created, json_string(head_.model));
}

std::string CompletionsAnswer::chunk(std::size_t index, const std::string& text, bool has_tokens) {
  Choice& choice = choices_[index];
  bool has_logprobs = has_tokens && choice.logprobs.has_value();
  std::string prompt_logprobs = std::exchange(choice.prompt_logprobs, {});
  if (text.empty() && !has_logprobs && choice.finish_reason.empty() && prompt_logprobs.empty()) {
    return {};
  }
  return sse(fmt::format(
      R"({{{},"choices":[{{"index":{},"text":{},"logprobs":{},"finish_reason":{}{}}}]{}}})",
      opening(), index, json_string(text), has_logprobs ? choice.logprobs->take() : "null",
      or_null(choice.finish_reason),
      prompt_logprobs.empty() ? "" : ",\"prompt_logprobs\":" + prompt_logprobs,
      request_.include_usage ? ",\"usage\":null" : ""));
}

std::string CompletionsAnswer::usage() const {
  return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},)"
                     R"("prompt_tokens_details":{{"cached_tokens":{}}}}})",
                     prompt_tokens_, generated_, prompt_tokens_ + generated_, cached_tokens_);
}

std::string CompletionsAnswer::stream_end() const {
  std::string out;
  if (request_.include_usage) {
    out = sse(fmt::format(R"({{{},"choices":[],"usage":{}}})", opening(), usage()));
  }
  return out + sse("[DONE]");
}

std::string CompletionsAnswer::body() {
  std::vector<std::string> choices;
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    Choice& choice = choices_[i];
    choices.push_back(fmt::format(
        R"({{"index":{},"text":{},"logprobs":{},"finish_reason":{}{}}})", i,
        json_string(choice.text), choice.logprobs ? choice.logprobs->take() : "null",
        or_null(choice.finish_reason),
        choice.prompt_logprobs.empty() ? "" : ",\"prompt_logprobs\":" + choice.prompt_logprobs));
  }
  return fmt::format(R"({{{},"choices":[{}],"usage":{}}})", opening(), fmt::join(choices, ","),
                     usage());
}

}  // namespace chorus::server
