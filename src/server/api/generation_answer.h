// An answer that is made of the engine's events: either a stream of server-sent events or one JSON
// object. It knows no sockets. One for each request; one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "chorus/engine.h"
#include "chorus/request.h"
#include "server/http/body_pieces.h"

namespace chorus::server {

// What the answer says of itself.
struct AnswerHead {
  std::string id;            // "cmpl-..."
  std::int64_t created = 0;  // seconds since 1970
  std::string model;
};

class GenerationAnswer {
 public:
  virtual ~GenerationAnswer() = default;

  // Takes one event of the prompt with that number. While streaming, returns the server-sent events
  // that it makes, which may be none.
  virtual std::string add(std::size_t prompt, const Event& event) = 0;

  // Every choice has ended.
  virtual bool is_done() const = 0;
  // After the last event. Streaming: the usage if it was asked for, and [DONE].
  virtual std::string stream_end() const = 0;
  // Not streaming: the whole body, of which nothing is left here.
  virtual BodyPieces body() = 0;
  // Roughly what is held here of the answer.
  virtual std::size_t bytes() const = 0;
};

// A server-sent event.
std::string sse(const std::string& data);

// The object of `usage`.
std::string usage_json(std::int64_t prompt_tokens, std::int64_t generated_tokens,
                       std::int64_t cached_tokens);

// Whether a stop string has cut the text of a sample that ended so, and not an id: the last one that
// was drawn.
bool is_cut_by_string(const Request& request, const ModelInfo& info, std::int32_t last_id,
                      FinishReason reason);

}  // namespace chorus::server
