// What /v1/models tells of a model: OpenAI's fields and vLLM's max_model_len, and of our own what it
// is, how it is held, and what may be asked of it. No path of this machine is in it. Pure function.
#pragma once

#include <string>

#include "server/api/models.h"
#include "server/options.h"

namespace chorus::server {

// The model must be loaded.
std::string model_card(const ServedModel& model, const ServerOptions& options);

}  // namespace chorus::server
