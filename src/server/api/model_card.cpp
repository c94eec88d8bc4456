#include "server/api/model_card.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "json/text.h"
#include "server/api/completions_request.h"

namespace chorus::server {
namespace {

std::string limits_json(const ModelInfo& info, const ServerOptions& options) {
  return fmt::format(
      R"({{"block_size":{},"vocab_size":{},"n":{},"choices":{},"logprobs":{},"stop":{},)"
      R"("stop_bytes":{},"answer_bytes":{},"body_bytes":{}}})",
      info.block_size, info.vocab_size, kMostChoicesEach, kMostChoices, kMostLogprobs,
      kMostStopStrings, kMostStopBytes, options.max_answer, options.http.max_body);
}

}  // namespace

std::string model_card(const ServedModel& model, const ServerOptions& options) {
  const ModelInfo& info = model.engine->info();
  return fmt::format(
      R"({{"id":{},"object":"model","created":{},"owned_by":"chorus","max_model_len":{},)"
      R"("parameters":{},"dtype":"{}","digest":"{}","step":{},"val_loss":{},"tokenizer":{},)"
      R"("eos_token_ids":[{}],"loop":"{}","weight_bytes":{},"kv_bytes":{},"instructions":"{}",)"
      R"("amx":{},"threads":{},"limits":{}}})",
      json_string(model.name), model.created, info.block_size, info.parameters,
      number_format_name(info.dtype), model.digest, info.step ? fmt::to_string(*info.step) : "null",
      json_number(info.val_loss),
      info.tokenizer.description.empty() ? "null" : json_string(info.tokenizer.description),
      fmt::join(info.eos, ","), sampling_loop_name(info.loop), info.weight_bytes, info.kv_bytes,
      info.instructions, info.amx, info.threads, limits_json(info, options));
}

}  // namespace chorus::server
