// POST /v1/chat/completions: messages become the prompt of a completion. It knows no sockets. Pure
// functions.
#pragma once

#include <string>
#include <string_view>

#include "server/api/chat_template.h"
#include "server/api/completions_request.h"

namespace chorus::server {

// A request without a prompt as yet. Without max_tokens the result may fill the model's block.
// Errors: 400, naming the field.
ApiResult<CompletionsRequest> parse_chat(std::string_view body);

// Reads "messages" and what templates are given besides; for /tokenize, too. Errors are the fields'.
Chat read_chat(JsonFields& fields);

// The text that they are. Errors: as use_template().
ApiResult<std::string> chat_text(const Chat& chat, const ChatTemplate& chat_template);

// The messages become the request's one prompt. Errors: 400, naming messages or a field that the
// template has no use for.
ApiResult<void> use_template(CompletionsRequest& request, const ChatTemplate& chat_template);

}  // namespace chorus::server
