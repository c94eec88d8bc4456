// Answers that every route gives: a JSON object, or an error as OpenAI's API tells it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/api/api_error.h"
#include "server/http/exchange.h"
#include "server/http/task.h"

namespace chorus::server {

Task<void> respond_json(Exchange& exchange, std::string_view body);
// A text as a header's value: what is no printable ASCII is "?".
std::string header_value(std::string_view text);
// The answer, whatever it is, says which fields of the request nobody has read: X-Ignored-Fields.
void tell_ignored(Exchange& exchange, const std::vector<std::string>& fields);

Task<void> respond_error(Exchange& exchange, ApiError error);

// Why an exchange's work was given up: its time is over, or its client is gone (who is not told).
ApiError not_done(Exchange& exchange);

// For the log: an error that is told otherwise, as in a stream that has begun. What it quotes of the
// request is left out there, unless prompts are to be logged.
void note_error(Exchange& exchange, const ApiError& error);

}  // namespace chorus::server
