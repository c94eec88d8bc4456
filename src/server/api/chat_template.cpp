#include "server/api/chat_template.h"

#include <fmt/format.h>

#include <boost/json/value.hpp>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/bytes.h"

namespace chorus::server {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr std::uintmax_t kLargestFile = 1 << 20;

json::object special_tokens(const Engine& engine) {
  const ModelInfo& info = engine.info();
  json::object result;
  auto add = [&](const char* name, std::optional<std::int32_t> id) {
    if (id) result[name] = engine.token_bytes(*id);
  };
  if (auto bos = engine.bos()) add("bos_token", bos.assume_value());
  if (!info.eos.empty()) add("eos_token", info.eos[0]);
  add("unk_token", info.tokenizer.unk);
  return result;
}

std::string plain_text(const json::array& messages) {
  std::string text;
  for (const json::value& message : messages) {
    if (&message != &messages.front()) text += '\n';
    text += message.at("content").as_string();
  }
  return text;
}

}  // namespace

Result<ChatTemplateOption> read_chat_template_option(const std::string& name) {
  using Kind = ChatTemplateOption::Kind;
  if (name.empty()) return ChatTemplateOption{};
  if (name == "plain") return ChatTemplateOption{Kind::kPlain};
  if (name == "model") return ChatTemplateOption{Kind::kModel};
  std::error_code problem;
  auto size = fs::file_size(name, problem);
  if (problem || size > kLargestFile) {
    return Error{
        problem ? ErrorCode::kInvalidArgument : ErrorCode::kUnsupported,
        fmt::format("chat-template: expected plain, model or the path of a template in Jinja of "
                    "at most {} bytes, found {}",
                    kLargestFile, name)};
  }
  CHORUS_TRY(Bytes file, map_file(name));
  // Its mistakes are told now, and not when a model is there.
  if (auto parsed = jinja::Template::parse(file.text()); !parsed) {
    return std::move(parsed.assume_error()).in(name);
  }
  return ChatTemplateOption{Kind::kGiven, std::string(file.text())};
}

Result<std::optional<ChatTemplate>> ChatTemplate::make(const ChatTemplateOption& option,
                                                       const Engine& engine) {
  using Kind = ChatTemplateOption::Kind;
  if (option.kind == Kind::kNone) return std::optional<ChatTemplate>();
  ChatTemplate result;
  if (option.kind == Kind::kPlain) return std::optional(std::move(result));
  const std::string& own = engine.info().tokenizer.chat_template;
  if (option.kind == Kind::kModel && own.empty()) {
    return Error{ErrorCode::kNotFound,
                 "the model has no chat template (chat_template in tokenizer_config.json, or "
                 "chat_template.jinja): --chat-template takes the path of one, or plain"};
  }
  auto parsed = jinja::Template::parse(option.kind == Kind::kModel ? own : option.source);
  if (!parsed) {
    return std::move(parsed.assume_error()).in("the model's chat template");
  }
  result.template_ = std::move(parsed.assume_value());
  result.tokens_ = special_tokens(engine);
  return std::optional(std::move(result));
}

ApiResult<std::string> ChatTemplate::render(const json::array& messages,
                                            const json::object& variables,
                                            std::size_t most_bytes) const {
  if (!template_) return plain_text(messages);
  json::object all = tokens_;
  all["tools"] = nullptr;
  all["documents"] = nullptr;
  for (const auto& variable : variables) all[variable.key()] = variable.value();
  all["messages"] = messages;
  Result<std::string> text = template_->render(all, most_bytes);
  if (text) return std::move(text.assume_value());
  if (text.assume_error().code == ErrorCode::kOutOfMemory) return to_api_error(text.assume_error());
  return ApiError(400, "messages: the chat template: " + text.assume_error().message, "messages");
}

}  // namespace chorus::server
