// /tokenize and /detokenize: GPT-2's tokenizer, which needs no model.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json/object.hpp>
#include <utility>

#include "chorus/engine.h"
#include "server/json_fields.h"
#include "server/json_text.h"
#include "server/offload.h"
#include "server/routes.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;

struct TokenizeRequest {
  std::string content;
  bool special = false;
};

ApiResult<TokenizeRequest> parse_tokenize(std::string_view body) {
  BOOST_OUTCOME_TRY(boost::json::object object, parse_body(body));
  JsonFields fields(object);
  TokenizeRequest request;
  fields.read("content", request.content);
  if (!fields.has("content")) fields.refuse("content", "a string");
  fields.read("special", request.special);
  if (fields.error()) return *fields.error();
  return request;
}

ApiResult<std::vector<std::int32_t>> parse_detokenize(std::string_view body) {
  BOOST_OUTCOME_TRY(boost::json::object object, parse_body(body));
  JsonFields fields(object);
  std::vector<std::int32_t> ids;
  fields.read("tokens", ids);
  if (!fields.has("tokens")) fields.refuse("tokens", "an array of token ids");
  if (fields.error()) return *fields.error();
  return ids;
}

}  // namespace

asio::awaitable<void> tokenize(Exchange& exchange) {
  ApiResult<TokenizeRequest> parsed = parse_tokenize(exchange.request().body);
  if (!parsed) co_return co_await exchange.respond(parsed.assume_error());
  const TokenizeRequest& asked = parsed.assume_value();
  std::vector<std::int32_t> ids = co_await offload(
      exchange.app(), [&asked] { return Engine::encode(asked.content, asked.special); });
  co_await exchange.respond_json(fmt::format(R"({{"tokens":[{}]}})", fmt::join(ids, ",")));
}

asio::awaitable<void> detokenize(Exchange& exchange) {
  ApiResult<std::vector<std::int32_t>> ids = parse_detokenize(exchange.request().body);
  if (!ids) co_return co_await exchange.respond(ids.assume_error());
  co_await exchange.respond_json(
      fmt::format(R"({{"content":{}}})", json_string(Engine::decode(ids.assume_value()))));
}

}  // namespace chorus::server
