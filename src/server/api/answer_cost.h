// How many bytes an answer will have, before anything is computed: from how many choices, tokens and
// log-probabilities a request asks for. Figures are rounded up from GPT-2's vocabulary; what an
// answer really takes is counted when it is made (byte_budget.h). Pure functions.
#pragma once

#include <cstddef>

#include "server/api/api_error.h"
#include "server/api/completions_request.h"
#include "server/api/score_request.h"

namespace chorus::server {

// The request must have its prompts' ids and texts (to_engine_requests()).
std::size_t answer_bytes(const CompletionsRequest& request);
// Of POST /v1/score, for texts of so many tokens in all.
std::size_t score_answer_bytes(const ScoreTexts& request, std::size_t tokens);

// Errors: 400, saying how the bytes come about (`of`), if they are more than `most` (--max-answer).
ApiResult<void> check_answer(std::size_t bytes, std::size_t most, const std::string& param,
                             const std::string& of);

}  // namespace chorus::server
