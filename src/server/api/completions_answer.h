// The answer of /v1/completions. One for each request; one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chorus/request.h"
#include "server/api/completion_logprobs.h"
#include "server/api/completions_request.h"
#include "server/api/generation_answer.h"
#include "server/http/body_pieces.h"

namespace chorus::server {

class CompletionsAnswer : public GenerationAnswer {
 public:
  // The request must have been through to_engine_requests() with this engine.
  CompletionsAnswer(const CompletionsRequest& request, AnswerHead head,
                    std::shared_ptr<const Engine> engine);

  std::string add(std::size_t prompt, const Event& event) override;
  bool is_done() const override { return open_ == 0; }
  std::string stream_end() const override;
  BodyPieces body() override;
  std::size_t bytes() const override { return bytes_; }

 private:
  // What the choices of one prompt begin with.
  struct PromptPart {
    std::string text;                // with echo
    LogprobColumns columns;          // with echo and logprobs
    std::string logprobs_of_prompt;  // JSON; empty: not asked for
  };
  struct Choice {
    std::shared_ptr<const PromptPart> prompt;  // while it is still to be told
    std::string text;                          // behind the prompt's
    std::size_t characters = 0;                // of the text so far; with echo also the prompt's
    std::int32_t last_id = -1;                 // of its tokens
    // With return_token_ids: the prompt's, while they are still to be told, and those of its tokens
    // that are; elements of JSON arrays.
    BodyPiece prompt_ids;
    std::string ids;
    std::optional<CompletionLogprobs> logprobs;
    std::string finish_reason;
  };

  LogprobForm form() const;
  static std::shared_ptr<const LogprobColumns> columns_of(
      const std::shared_ptr<const PromptPart>& prompt);
  std::size_t first_choice(std::size_t prompt) const;
  std::string add_prompt(std::size_t prompt, const Event& event);
  std::string add_to_choice(std::size_t index, const Event& event);
  // One server-sent event about a choice; empty if there would be nothing in it.
  std::string chunk(std::size_t index, const std::string& text, bool has_tokens);
  void add_logprobs(Choice& choice, const Event& event);
  std::string usage() const;
  std::string opening() const;  // the fields that every JSON object of the answer begins with

  const CompletionsRequest& request_;
  AnswerHead head_;
  std::shared_ptr<const Engine> engine_;  // for the texts of tokens
  std::vector<Choice> choices_;
  std::size_t open_;
  std::size_t bytes_ = 0;
  std::int64_t prompt_tokens_ = 0, cached_tokens_ = 0;
  std::int32_t generated_ = 0;
};

}  // namespace chorus::server
