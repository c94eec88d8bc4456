#include "server/api/completions_answer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "json/text.h"

namespace chorus::server {
namespace {

std::string or_null(const std::string& json) { return json.empty() ? "null" : json; }

}  // namespace

std::shared_ptr<const LogprobColumns> CompletionsAnswer::columns_of(
    const std::shared_ptr<const PromptPart>& prompt) {
  if (!prompt) return nullptr;
  return {prompt, &prompt->columns};
}

CompletionsAnswer::CompletionsAnswer(const CompletionsRequest& request, AnswerHead head,
                                     std::shared_ptr<const Engine> engine)
    : request_(request), head_(std::move(head)), engine_(std::move(engine)) {
  choices_.resize(request.prompts.size() * static_cast<std::size_t>(request.base.n));
  open_ = choices_.size();
  for (Choice& choice : choices_) {
    if (request.logprobs) choice.logprobs.emplace(*engine_, form());
  }
  for (std::size_t i = 0; i < request.prompts.size(); ++i) {
    const std::vector<std::int32_t>& ids = request.prompts[i].ids;
    prompt_tokens_ += static_cast<std::int64_t>(ids.size());
    if (!request.return_token_ids) continue;
    auto told = std::make_shared<const std::string>(fmt::format("{}", fmt::join(ids, ",")));
    bytes_ += told->size();
    for (std::size_t c = first_choice(i); c < first_choice(i + 1); ++c) {
      choices_[c].prompt_ids = told;
    }
  }
}

LogprobForm CompletionsAnswer::form() const {
  return {.most = request_.logprobs.value_or(0),
          .ids = request_.return_token_ids,
          .ranks = request_.base.rank_and_entropy};
}

std::size_t CompletionsAnswer::first_choice(std::size_t prompt) const {
  return prompt * static_cast<std::size_t>(request_.base.n);
}

std::string CompletionsAnswer::add(std::size_t prompt, const Event& event) {
  if (event.kind == Event::Kind::kPrompt) return add_prompt(prompt, event);
  return add_to_choice(first_choice(prompt) + static_cast<std::size_t>(event.sample), event);
}

// The engine tells a prompt's tokens once; each of its choices begins with them. They are written
// once, too.
std::string CompletionsAnswer::add_prompt(std::size_t prompt, const Event& event) {
  auto part = std::make_shared<PromptPart>();
  if (request_.prompt_logprobs) {
    part->logprobs_of_prompt =
        prompt_logprobs_json(*engine_, event.prompt, *request_.prompt_logprobs);
  }
  std::optional<CompletionLogprobs> logprobs;
  if (request_.echo && request_.logprobs) {
    logprobs.emplace(*engine_, form());
    for (const TokenInfo& token : event.prompt) logprobs->add(token);
    logprobs->release_all();
    part->columns = logprobs->take();
  }
  if (request_.echo) part->text = request_.prompts[prompt].text;
  bytes_ += part->text.size() + part->columns.bytes() + part->logprobs_of_prompt.size();
  std::string out;
  for (std::size_t i = first_choice(prompt); i < first_choice(prompt + 1); ++i) {
    Choice& choice = choices_[i];
    choice.prompt = part;
    if (logprobs) {
      choice.logprobs = logprobs;  // whose offsets go on
      choice.characters = logprobs->characters();
    }
    if (request_.stream) out += chunk(i, part->text, request_.echo);
  }
  return out;
}

// Log-probabilities end where the text ends: those of tokens that a stop string may yet cut off wait.
void CompletionsAnswer::add_logprobs(Choice& choice, const Event& event) {
  std::size_t before = choice.logprobs->bytes();
  if (event.kind == Event::Kind::kToken) {
    choice.logprobs->add(event.token);
    choice.last_id = event.token.id;
  }
  choice.characters += count_characters(event.text);
  bool is_done = event.kind == Event::Kind::kDone;
  if (request_.base.stop.empty() ||
      (is_done &&
       !is_cut_by_string(request_.base, engine_->info(), choice.last_id, event.finish_reason))) {
    choice.logprobs->release_all();
  } else {
    choice.logprobs->release(choice.characters);
  }
  bytes_ += choice.logprobs->bytes() - before;
}

std::string CompletionsAnswer::add_to_choice(std::size_t index, const Event& event) {
  Choice& choice = choices_[index];
  if (choice.logprobs) add_logprobs(choice, event);
  if (event.kind == Event::Kind::kToken && request_.return_token_ids) {
    std::string next = (choice.ids.empty() ? "" : ",") + std::to_string(event.token.id);
    choice.ids += next;
    bytes_ += next.size();
  }
  if (event.kind == Event::Kind::kDone) {
    choice.finish_reason = fmt::format("\"{}\"", finish_reason_name(event.finish_reason));
    generated_ += event.usage.generated_tokens;
    if (event.sample == 0) cached_tokens_ += event.usage.cached_tokens;
    --open_;
  }
  if (request_.stream) return chunk(index, event.text, false);
  choice.text += event.text;
  bytes_ += event.text.size();
  return {};
}

std::string CompletionsAnswer::opening() const {
  return fmt::format(R"("id":"{}","object":"text_completion","created":{},"model":{})", head_.id,
                     head_.created, json_string(head_.model));
}

std::string CompletionsAnswer::chunk(std::size_t index, const std::string& text, bool has_tokens) {
  Choice& choice = choices_[index];
  bool has_logprobs = choice.logprobs && (has_tokens || !choice.logprobs->is_empty());
  std::shared_ptr<const PromptPart> prompt = std::exchange(choice.prompt, nullptr);
  bool has_prompt = prompt && !prompt->logprobs_of_prompt.empty();
  bool has_ids = has_tokens && request_.return_token_ids;
  if (text.empty() && !has_logprobs && !has_ids && choice.finish_reason.empty() && !has_prompt) {
    return {};
  }
  std::string ids;
  if (request_.return_token_ids) {
    ids = fmt::format(R"(,"token_ids":[{}])", std::exchange(choice.ids, {}));
    BodyPiece prompt_ids = std::exchange(choice.prompt_ids, nullptr);
    if (prompt_ids) ids += fmt::format(R"(,"prompt_token_ids":[{}])", *prompt_ids);
  }
  return sse(fmt::format(
      R"({{{},"choices":[{{"index":{},"text":{},"logprobs":{},"finish_reason":{}{}{}}}]{}}})",
      opening(), index, json_string(text),
      has_logprobs ? logprobs_json(columns_of(prompt), choice.logprobs->take()).join() : "null",
      or_null(choice.finish_reason),
      has_prompt ? ",\"prompt_logprobs\":" + prompt->logprobs_of_prompt : "", ids,
      request_.include_usage ? ",\"usage\":null" : ""));
}

std::string CompletionsAnswer::usage() const {
  return usage_json(prompt_tokens_, generated_, cached_tokens_);
}

std::string CompletionsAnswer::stream_end() const {
  std::string out;
  if (request_.include_usage) {
    out = sse(fmt::format(R"({{{},"choices":[],"usage":{}}})", opening(), usage()));
  }
  return out + sse("[DONE]");
}

BodyPieces CompletionsAnswer::body() {
  BodyPieces out;
  out.add(fmt::format(R"({{{},"choices":[)", opening()));
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    Choice choice = std::exchange(choices_[i], {});
    std::string text = choice.prompt ? choice.prompt->text + choice.text : std::move(choice.text);
    out.add(fmt::format(R"({}{{"index":{},"text":)", i == 0 ? "" : ",", i));
    out.add(json_string(text));
    out.add(R"(,"logprobs":)");
    if (choice.logprobs) {
      out.add(logprobs_json(columns_of(choice.prompt), choice.logprobs->take()));
    } else {
      out.add("null");
    }
    out.add(fmt::format(R"(,"finish_reason":{})", or_null(choice.finish_reason)));
    if (choice.prompt && !choice.prompt->logprobs_of_prompt.empty()) {
      out.add(R"(,"prompt_logprobs":)");
      out.add(BodyPiece(choice.prompt, &choice.prompt->logprobs_of_prompt));
    }
    if (choice.prompt_ids) {
      out.add(fmt::format(R"(,"token_ids":[{}],"prompt_token_ids":[)", choice.ids));
      out.add(std::move(choice.prompt_ids));
      out.add("]");
    }
    out.add("}");
  }
  out.add(fmt::format(R"(],"usage":{}}})", usage()));
  return out;
}

}  // namespace chorus::server
