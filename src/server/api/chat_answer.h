// The answer of /v1/chat/completions, in OpenAI's form. One for each request; one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/api/completion_logprobs.h"
#include "server/api/completions_request.h"
#include "server/api/generation_answer.h"
#include "server/api/held_rows.h"

namespace chorus::server {

class ChatAnswer : public GenerationAnswer {
 public:
  // The request must have been through to_engine_requests() with this engine.
  ChatAnswer(const CompletionsRequest& request, AnswerHead head,
             std::shared_ptr<const Engine> engine);

  std::string add(std::size_t prompt, const Event& event) override;
  bool is_done() const override { return open_ == 0; }
  std::string stream_end() const override;
  BodyPieces body() override;
  std::size_t bytes() const override { return bytes_; }

 private:
  // An element of logprobs.content, as JSON.
  struct Row {
    std::string json;
    std::size_t bytes() const { return json.size(); }
  };
  struct Choice {
    std::string text, rows;  // that are not told yet; rows: elements of a JSON array
    HeldRows<Row> held;
    CharacterCount token_characters;
    std::size_t characters = 0;  // of the text so far
    std::int32_t last_id = -1;
    bool has_begun = false;     // its role was told
    std::string finish_reason;  // JSON; empty: it goes on
  };

  std::string row_json(const TokenInfo& token) const;
  void add_logprobs(Choice& choice, const Event& event);
  std::string logprobs(Choice& choice) const;
  std::string opening(const char* object) const;
  std::string chunk(std::size_t index, const std::string& delta, const std::string& logprobs,
                    const std::string& finish_reason) const;
  std::string chunks(std::size_t index);

  const CompletionsRequest& request_;
  AnswerHead head_;
  std::shared_ptr<const Engine> engine_;
  std::vector<Choice> choices_;
  std::size_t open_;
  std::size_t bytes_ = 0;
  std::int64_t prompt_tokens_ = 0, cached_tokens_ = 0, generated_ = 0;
};

}  // namespace chorus::server
