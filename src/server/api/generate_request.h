// GET /generate/PROMPT?max_length=&top_k=&seed=..., GET /generate?prompt=... and POST /generate:
// parameters become a request to the engine. It knows no sockets. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/engine.h"
#include "chorus/request_length.h"
#include "server/api/api_error.h"
#include "server/http/target.h"

namespace chorus::server {

struct GenerateRequest {
  GenerateRequest() { base.sampling.loop = SamplingLoop::kTalk; }  // whatever the model's own is

  std::string model;                     // empty: the first
  std::string device = "cpu";            // as it was asked for: it is computed on the CPU anyway
  std::string prompt;                    // UTF-8
  std::vector<std::int32_t> prompt_ids;  // instead of the text
  bool special = false;                  // a special token's name in the prompt is the token
  LengthAsked length;
  bool has_seed = false;
  std::string cache_salt;  // who gives another shares no cached keys and values
  Request base;            // all but the prompt and max_length
};

// `prompt` is what stands behind /generate/, decoded; nothing: the parameter `prompt` has it. An
// empty parameter is an absent one, as web forms send what nobody filled in. Errors: 400, naming the
// parameter; one that is not known, or stands twice, is wrong, too.
ApiResult<GenerateRequest> parse_generate(std::optional<std::string_view> prompt,
                                          const Target& target);
ApiResult<GenerateRequest> parse_generate_body(std::string_view body);

// Fills in the prompt's text if ids were given. Errors: 400, naming the field.
ApiResult<Request> to_engine_request(GenerateRequest& request, const Engine& engine);

}  // namespace chorus::server
