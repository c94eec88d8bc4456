// POST /v1/chat/completions: messages become the prompt of a completion. It knows no sockets. Pure
// functions.
#pragma once

#include <string>
#include <string_view>

#include "server/api/completions_request.h"

namespace chorus::server {

// How messages become a text.
enum class ChatTemplate {
  kNone,   // there are no chats
  kPlain,  // the messages' contents in their order, joined by a line's end; roles leave no trace
};

// "" is kNone. Errors: kInvalidArgument.
Result<ChatTemplate> parse_chat_template(std::string_view name);

// A request with one prompt: the messages' text by the template, which must not be kNone. Without
// max_tokens the result may fill the model's block. Errors: 400, naming the field.
ApiResult<CompletionsRequest> parse_chat(std::string_view body, ChatTemplate chat_template);

}  // namespace chorus::server
