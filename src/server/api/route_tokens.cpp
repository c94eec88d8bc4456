// /tokenize, /detokenize and /tokenizer_info: the tokenizer of the model that is asked for. Texts
// come as llama.cpp names them ("content") or as vLLM does ("prompt", in which special tokens are
// recognised, as Hugging Face's tokenizers do).

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json/object.hpp>
#include <iterator>
#include <memory>
#include <utility>

#include "chorus/engine.h"
#include "core/utf8.h"
#include "json/text.h"
#include "server/api/answer_cost.h"
#include "server/api/chat_request.h"
#include "server/api/request_body.h"
#include "server/api/respond.h"
#include "server/api/routes.h"
#include "server/offload.h"
#include "tokenizer/byte_alphabet.h"

namespace chorus::server {
namespace {

struct TokenizeRequest {
  std::string model;  // empty: the first
  std::string content;
  std::optional<Chat> chat = {};  // in place of the content
  bool special = false;
  bool return_token_strs = false;
  bool with_pieces = false;
  std::vector<std::string> ignored;  // fields that nobody reads
};

ApiResult<TokenizeRequest> parse_tokenize(std::string_view body) {
  CHORUS_TRY(boost::json::object object, parse_body(body));
  JsonFields fields(object);
  TokenizeRequest request;
  fields.read("model", request.model);
  request.special = fields.has("prompt") && !fields.has("content");
  fields.read(fields.has("content") ? "content" : "prompt", request.content);
  if (fields.has("messages") && !fields.has("content") && !fields.has("prompt")) {
    request.chat = read_chat(fields);
  } else if (!fields.has("content") && !fields.has("prompt")) {
    fields.refuse("content", "a string, or one in prompt, or messages");
  }
  fields.read("special", request.special);
  fields.read("return_token_strs", request.return_token_strs);
  fields.read("with_pieces", request.with_pieces);
  // Hugging Face's: whether what begins a text is added. Nothing is, as for GPT-2 with either value.
  bool add_special_tokens = true;
  fields.read("add_special_tokens", add_special_tokens);
  if (fields.has("messages") && !request.chat) {
    fields.fail("messages", "expected it alone, or content or prompt");
  }
  request.ignored = fields.unknown();
  if (auto error = fields.error()) return *error;
  return request;
}

struct DetokenizeRequest {
  std::string model;  // empty: the first
  std::vector<std::int32_t> ids;
  bool with_pieces = false;
  std::vector<std::string> ignored;  // fields that nobody reads
};

ApiResult<DetokenizeRequest> parse_detokenize(std::string_view body) {
  CHORUS_TRY(boost::json::object object, parse_body(body));
  JsonFields fields(object);
  DetokenizeRequest request;
  fields.read("model", request.model);
  fields.read("tokens", request.ids);
  fields.require("tokens", "an array of token ids");
  fields.read("with_pieces", request.with_pieces);
  request.ignored = fields.unknown();
  if (auto error = fields.error()) return *error;
  return request;
}

constexpr std::size_t kBytesOfId = 10;     // in memory, and as JSON
constexpr std::size_t kBytesOfString = 8;  // quotes, and what a byte alphabet adds
constexpr std::size_t kBytesOfPiece = 40;  // {"id", "piece"}, a piece of a few bytes being numbers

// A JSON array of how the vocabulary's own file writes the tokens, as Hugging Face's
// convert_ids_to_tokens() has them: of byte-level BPE in its alphabet ("Ġworld").
std::string token_strings(const Engine& engine, const std::vector<std::int32_t>& ids) {
  bool is_byte_level = engine.info().tokenizer.kind == "GPT2Tokenizer";
  std::string out = "[";
  for (std::int32_t id : ids) {
    std::string bytes = engine.token_bytes(id);
    if (out.size() > 1) out += ',';
    out += json_string(is_byte_level ? tokenizer::in_alphabet(bytes) : bytes);
  }
  return out + "]";
}

// [{"id", "piece"}, ...] as llama.cpp has them: the text of each token, or its bytes as numbers where
// they are no text.
std::string pieces_json(const Engine& engine, const std::vector<std::int32_t>& ids) {
  std::string out = "[";
  for (std::int32_t id : ids) {
    std::string bytes = engine.token_bytes(id);
    std::vector<int> numbers;
    for (char c : bytes) numbers.push_back(static_cast<unsigned char>(c));
    fmt::format_to(std::back_inserter(out), R"({}{{"id":{},"piece":{}}})",
                   out.size() > 1 ? "," : "", id,
                   is_well_formed(bytes) ? json_string(bytes) : json_array(numbers));
  }
  return out + "]";
}

BodyPieces detokenized(BodyPiece text, std::string pieces) {
  BodyPieces body;
  body.add(R"({"content":)");
  body.add(text);
  body.add(R"(,"prompt":)");
  body.add(std::move(text));
  if (!pieces.empty()) {
    body.add(R"(,"pieces":)");
    body.add(std::move(pieces));
  }
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

namespace {

struct Tokenized {
  TokenizeRequest asked;
  ServedModel served;
  std::vector<std::int32_t> ids;
};

// `ignored`: fields that nobody has read, also where there is an error.
ApiResult<Tokenized> tokenized(const App& app, const std::string& json,
                               std::vector<std::string>& ignored) {
  CHORUS_TRY(TokenizeRequest asked, parse_tokenize(json));
  ignored = asked.ignored;
  CHORUS_TRY(ServedModel served, app.models.find(asked.model));
  if (asked.chat) {
    if (!served.chat_template) {
      return bad_field("messages", "there are no chats here without --chat-template");
    }
    CHORUS_TRY(asked.content, chat_text(*asked.chat, *served.chat_template));
    asked.special = asked.special || served.chat_template->recognises_special();
  }
  Result<std::vector<std::int32_t>> ids = served.engine->encode(asked.content, asked.special);
  if (!ids) return to_api_error(ids.assume_error());
  return Tokenized{std::move(asked), std::move(served), std::move(ids.assume_value())};
}

std::string tokens_json(const Tokenized& found) {
  const Engine& engine = *found.served.engine;
  const std::vector<std::int32_t>& ids = found.ids;
  return fmt::format(R"({{"tokens":{},"count":{},"max_model_len":{},"token_strs":{}}})",
                     found.asked.with_pieces ? pieces_json(engine, ids) : json_array(ids),
                     ids.size(), engine.info().block_size,
                     found.asked.return_token_strs ? token_strings(engine, ids) : "null");
}

struct ToBeText {
  DetokenizeRequest asked;
  ServedModel served;
  std::size_t bytes;  // of its text
};

ApiResult<ToBeText> to_be_text(const App& app, const std::string& json,
                               std::vector<std::string>& ignored) {
  CHORUS_TRY(DetokenizeRequest asked, parse_detokenize(json));
  CHORUS_TRY(ServedModel served, app.models.find(asked.model));
  ignored = asked.ignored;
  CHORUS_TRY(check_ids(asked.ids, "tokens", served.engine->info()));
  std::size_t bytes = 0;
  for (std::int32_t id : asked.ids) bytes += served.engine->token_bytes(id).size();
  return ToBeText{std::move(asked), std::move(served), bytes};
}

}  // namespace

Task<void> tokenize(App& app, Exchange& exchange) {
  std::vector<std::string> ignored;
  const std::string& json = exchange.body();
  std::size_t work = app.options.chat_template.is_program() ? kNeverOnLoop : json.size();
  ApiResult<Tokenized> found = co_await by_length(
      app, exchange, work,
      [&app, &json, &ignored](const GivenUp&) { return tokenized(app, json, ignored); });
  tell_ignored(exchange, ignored);
  if (!found) co_return co_await respond_error(exchange, found.assume_error());
  const TokenizeRequest& asked = found.assume_value().asked;
  std::size_t count = found.assume_value().ids.size();
  HeldBytes held = exchange.hold();
  std::size_t bytes = count * kBytesOfId;
  if (asked.return_token_strs) bytes += count * kBytesOfString + 2 * asked.content.size();
  if (asked.with_pieces) bytes += count * kBytesOfPiece + 4 * asked.content.size();
  auto checked = check_answer(bytes, app.options.max_answer,
                              asked.with_pieces ? "with_pieces" : "return_token_strs",
                              fmt::format("{} tokens", count));
  if (!checked) co_return co_await respond_error(exchange, checked.assume_error());
  if (!held.resize(bytes)) co_return co_await respond_error(exchange, buffers_full());
  ApiResult<std::string> body =
      co_await by_length(app, exchange, bytes, [&found](const GivenUp&) -> ApiResult<std::string> {
        return tokens_json(found.assume_value());
      });
  if (!body) co_return co_await respond_error(exchange, body.assume_error());
  co_await respond_json(exchange, body.assume_value());
}

Task<void> detokenize(App& app, Exchange& exchange) {
  std::vector<std::string> ignored;
  const std::string& json = exchange.body();
  ApiResult<ToBeText> found = co_await by_length(
      app, exchange, json.size(),
      [&app, &json, &ignored](const GivenUp&) { return to_be_text(app, json, ignored); });
  tell_ignored(exchange, ignored);
  if (!found) co_return co_await respond_error(exchange, found.assume_error());
  const std::vector<std::int32_t>& ids = found.assume_value().asked.ids;
  std::shared_ptr<const Engine> engine = found.assume_value().served.engine;
  // Its text stands in the answer twice, and is held once.
  std::size_t bytes = found.assume_value().bytes;
  bool with_pieces = found.assume_value().asked.with_pieces;
  std::size_t more = with_pieces ? ids.size() * kBytesOfPiece + 4 * bytes : 0;
  auto checked = check_answer(2 * bytes + more, app.options.max_answer, "tokens",
                              fmt::format("{} ids", ids.size()));
  if (!checked) co_return co_await respond_error(exchange, checked.assume_error());
  HeldBytes held = exchange.hold();
  if (!held.resize(bytes + more)) co_return co_await respond_error(exchange, buffers_full());
  using Texts = std::pair<std::shared_ptr<const std::string>, std::string>;
  ApiResult<Texts> texts = co_await by_length(
      app, exchange, bytes + more,
      [&ids, &engine, with_pieces](const GivenUp&) -> ApiResult<Texts> {
        auto text = std::make_shared<const std::string>(json_string(engine->decode(ids)));
        return Texts(std::move(text), with_pieces ? pieces_json(*engine, ids) : std::string());
      });
  if (!texts) co_return co_await respond_error(exchange, texts.assume_error());
  auto& [text, pieces] = texts.assume_value();
  if (!held.resize(text->size() + more)) co_return co_await respond_error(exchange, buffers_full());
  co_await exchange.respond(ResponseHead(200, "application/json"),
                            detokenized(std::move(text), std::move(pieces)));
}

Task<void> tokenizer_info(App& app, Exchange& exchange) {
  const std::string* name = exchange.target.parameter("model");
  ApiResult<ServedModel> model = app.models.find(name == nullptr ? "" : *name);
  if (!model) co_return co_await respond_error(exchange, model.assume_error());
  co_await respond_json(exchange, info_json(*model.assume_value().engine));
}

}  // namespace chorus::server
