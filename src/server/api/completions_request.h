// POST /v1/completions: a JSON body becomes requests to the engine. It knows no sockets. Pure
// functions.
#pragma once

#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/engine.h"
#include "json/fields.h"
#include "server/api/api_error.h"

namespace chorus::server {

// Samples of each prompt, and samples of one request in all.
inline constexpr std::int32_t kMostChoicesEach = 128;
inline constexpr std::size_t kMostChoices = 1024;

struct Prompt {
  std::string text;               // as it was sent; of ids: what they decode to
  std::vector<std::int32_t> ids;  // empty: the text is still to be tokenized
};

// Messages, as a template is given them.
struct Chat {
  boost::json::array messages = {};    // objects with a role and a content, which is a string
  boost::json::object variables = {};  // add_generation_prompt and chat_template_kwargs
  bool has_arguments = false;          // whether there were any of the latter
  bool continues = false;              // continue_final_message
};

struct CompletionsRequest {
  std::string model;  // empty: the first
  std::vector<Prompt> prompts;
  std::int32_t max_tokens = 16;
  Request base;  // of every prompt: all but its ids and max_length
  bool has_seed = false;
  bool special = false;  // the name of a special token in a text is the token
  bool stream = false;
  std::string cache_salt;  // who gives another shares no cached keys and values
  bool include_usage = false;
  bool echo = false;
  std::optional<std::int32_t> logprobs;         // beside each token of the answer
  std::optional<std::int32_t> prompt_logprobs;  // in a field of their own
  bool return_token_ids = false;                // of the answer, of the prompt and in `logprobs`
  std::vector<std::string> ignored;             // fields that nobody reads

  // Of /v1/chat/completions: how its errors are worded, and whether nothing bounds the result but
  // the model's block.
  bool is_chat = false;
  Chat chat = {};  // its prompt is made of it when the model is known
  bool fills_block = false;
};

// Errors: 400, naming the field; also for a field that changes what comes out and is not done here.
ApiResult<CompletionsRequest> parse_completions(std::string_view body);

// Reads the fields that completions and chats have in common, and refuses those that are not done;
// of a request whose prompts were read. Errors are the fields'.
void read_common(JsonFields& fields, const boost::json::object& body, CompletionsRequest& request);
// The request that was read, or what was wrong. `request.logprobs` and the like become the engine's.
ApiResult<CompletionsRequest> finish_request(const JsonFields& fields, CompletionsRequest request);

// One request to the engine for each prompt, with ids; fills in the prompts' texts and ids.
// Errors: 400 for what the model's block size does not hold, or its tokenizer.
// `is_given_up`: looked at between prompts; once it is true, what is returned is of no account.
ApiResult<std::vector<Request>> to_engine_requests(CompletionsRequest& request,
                                                   const Engine& engine,
                                                   const std::atomic<bool>& is_given_up = false);

// 400 for an id that has no text: outside of the vocabulary, or in its padding.
ApiResult<void> check_ids(const std::vector<std::int32_t>& ids, const std::string& field,
                          const ModelInfo& info);

// How long prompt and result may be together.
struct LongestText {
  LongestText(PastBlock past_block, std::int32_t block_size);
  std::int32_t tokens;
  const char* why;  // for messages: "the model's block size"
};

// The ids of a text for a prompt: the token that begins a text for an empty one. A text that no
// tokenization could make fit is not tokenized at all. Errors: 400, naming prompt.
ApiResult<std::vector<std::int32_t>> prompt_ids(std::string_view text, bool special,
                                                const Engine& engine,
                                                PastBlock past_block = PastBlock::kRefuse);

}  // namespace chorus::server
