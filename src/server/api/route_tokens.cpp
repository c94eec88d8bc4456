// /tokenize, /detokenize and /tokenizer_info: the tokenizer of the model that is asked for. Texts
// come as llama.cpp names them ("content") or as vLLM does ("prompt", in which special tokens are
// recognised, as Hugging Face's tokenizers do).

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json/object.hpp>
#include <memory>
#include <utility>

#include "chorus/engine.h"
#include "json/text.h"
#include "server/api/answer_cost.h"
#include "server/api/request_body.h"
#include "server/api/respond.h"
#include "server/api/routes.h"
#include "server/offload.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;

struct TokenizeRequest {
  std::string model;  // empty: the first
  std::string content;
  bool special = false;
};

ApiResult<TokenizeRequest> parse_tokenize(std::string_view body) {
  CHORUS_TRY(boost::json::object object, parse_body(body));
  JsonFields fields(object);
  TokenizeRequest request;
  fields.read("model", request.model);
  request.special = !fields.has("content");
  fields.read(fields.has("content") ? "content" : "prompt", request.content);
  if (!fields.has("content") && !fields.has("prompt")) {
    fields.refuse("content", "a string, or one in prompt");
  }
  fields.read("special", request.special);
  if (auto error = fields.error()) return *error;
  return request;
}

struct DetokenizeRequest {
  std::string model;  // empty: the first
  std::vector<std::int32_t> ids;
};

ApiResult<DetokenizeRequest> parse_detokenize(std::string_view body) {
  CHORUS_TRY(boost::json::object object, parse_body(body));
  JsonFields fields(object);
  DetokenizeRequest request;
  fields.read("model", request.model);
  fields.read("tokens", request.ids);
  fields.require("tokens", "an array of token ids");
  if (auto error = fields.error()) return *error;
  return request;
}

constexpr std::size_t kBytesOfId = 10;  // in memory, and as JSON

BodyPieces detokenized(BodyPiece text) {
  BodyPieces body;
  body.add(R"({"content":)");
  body.add(text);
  body.add(R"(,"prompt":)");
  body.add(std::move(text));
  body.add("}");
  return body;
}

// As vLLM has it; an id is null where the model has none.
std::string info_json(const Engine& engine) {
  const ModelInfo& info = engine.info();
  auto text = [&](std::optional<std::int32_t> id) {
    return id ? json_string(engine.token_bytes(*id)) : "null";
  };
  std::optional<std::int32_t> bos, eos;
  if (auto begin = engine.bos()) bos = begin.assume_value();
  if (!info.eos.empty()) eos = info.eos[0];
  return fmt::format(
      R"({{"tokenizer_class":{},"description":{},"vocab_size":{},"bos_token":{},"eos_token":{},)"
      R"("unk_token":{},"bos_token_id":{},"eos_token_id":[{}],"add_bos_token":{},)"
      R"("add_prefix_space":{}}})",
      info.tokenizer.kind.empty() ? "null" : json_string(info.tokenizer.kind),
      info.tokenizer.kind.empty() ? "null" : json_string(info.tokenizer.description),
      info.vocab_size, text(bos), text(eos), text(info.tokenizer.unk),
      bos ? std::to_string(*bos) : "null", fmt::join(info.eos, ","), info.tokenizer.add_bos_token,
      info.tokenizer.add_prefix_space);
}

}  // namespace

asio::awaitable<void> tokenize(App& app, Exchange& exchange) {
  ApiResult<TokenizeRequest> parsed = parse_tokenize(exchange.body());
  if (!parsed) co_return co_await respond_error(exchange, parsed.assume_error());
  const TokenizeRequest& asked = parsed.assume_value();
  ApiResult<ServedModel> model = app.models.find(asked.model);
  if (!model) co_return co_await respond_error(exchange, model.assume_error());
  const Engine& engine = *model.assume_value().engine;
  Result<std::vector<std::int32_t>> encoded =
      co_await offload(app, [&] { return engine.encode(asked.content, asked.special); });
  if (!encoded) co_return co_await respond_error(exchange, to_api_error(encoded.assume_error()));
  const std::vector<std::int32_t>& ids = encoded.assume_value();
  HeldBytes held(exchange.service().buffers);
  if (!held.resize(ids.size() * kBytesOfId)) {
    co_return co_await respond_error(exchange, buffers_full());
  }
  std::string body = co_await offload(app, [&ids] {
    return fmt::format(R"({{"tokens":[{}],"count":{}}})", fmt::join(ids, ","), ids.size());
  });
  co_await respond_json(exchange, body);
}

asio::awaitable<void> detokenize(App& app, Exchange& exchange) {
  ApiResult<DetokenizeRequest> asked = parse_detokenize(exchange.body());
  if (!asked) co_return co_await respond_error(exchange, asked.assume_error());
  ApiResult<ServedModel> model = app.models.find(asked.assume_value().model);
  if (!model) co_return co_await respond_error(exchange, model.assume_error());
  const std::vector<std::int32_t>& ids = asked.assume_value().ids;
  std::shared_ptr<const Engine> engine = model.assume_value().engine;
  // Its text stands in the answer twice, and is held once.
  std::size_t bytes = co_await offload(app, [&ids, &engine] {
    std::size_t sum = 0;
    for (std::int32_t id : ids) sum += engine->token_bytes(id).size();
    return sum;
  });
  auto checked =
      check_answer(2 * bytes, app.options.max_answer, "tokens", fmt::format("{} ids", ids.size()));
  if (!checked) co_return co_await respond_error(exchange, checked.assume_error());
  HeldBytes held(exchange.service().buffers);
  if (!held.resize(bytes)) co_return co_await respond_error(exchange, buffers_full());
  auto text = co_await offload(app, [&ids, &engine] {
    return std::make_shared<const std::string>(json_string(engine->decode(ids)));
  });
  if (!held.resize(text->size())) co_return co_await respond_error(exchange, buffers_full());
  co_await exchange.respond(ResponseHead(200, "application/json"), detokenized(std::move(text)));
}

asio::awaitable<void> tokenizer_info(App& app, Exchange& exchange) {
  const std::string* name = exchange.target.parameter("model");
  ApiResult<ServedModel> model = app.models.find(name == nullptr ? "" : *name);
  if (!model) co_return co_await respond_error(exchange, model.assume_error());
  co_await respond_json(exchange, info_json(*model.assume_value().engine));
}

}  // namespace chorus::server
