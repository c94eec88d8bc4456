#include "server/api/chat_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <utility>

#include "json/text.h"
#include "server/api/request_body.h"

namespace chorus::server {
namespace {

namespace json = boost::json;

// What a template may make of a body, which has its own bound.
constexpr std::size_t kMostChatBytes = 16 << 20;

constexpr std::array<std::string_view, 4> kRoles = {"system", "developer", "user", "assistant"};

// A message's content: a string, or parts that are text, joined as contents are. Empty: it is neither.
std::optional<std::string> content_of(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  if (!value.is_array()) return std::nullopt;
  std::string text;
  bool is_first = true;
  for (const json::value& part : value.get_array()) {
    const json::object* object = part.if_object();
    const json::value* type = object == nullptr ? nullptr : object->if_contains("type");
    const json::value* content = object == nullptr ? nullptr : object->if_contains("text");
    bool is_text = type != nullptr && *type == "text" && content != nullptr && content->is_string();
    if (!is_text) return std::nullopt;
    if (!std::exchange(is_first, false)) text += '\n';
    text += content->get_string();
  }
  return text;
}

struct Problem {
  std::string what;        // empty: none
  std::string shown = {};  // what of it the message holds
};

// `name` of a message is not what was expected.
Problem unexpected(std::string_view name, std::string_view expected, const json::value* value) {
  std::string excerpt = value == nullptr ? std::string() : json_excerpt(*value);
  return {
      fmt::format("{}expected {}, found {}", name, expected, excerpt.empty() ? "nothing" : excerpt),
      excerpt};
}

// What is wrong with a message.
Problem problem_of(const json::value& message) {
  const json::object* object = message.if_object();
  if (object == nullptr) return unexpected("", "an object with role and content", &message);
  const json::value* role = object->if_contains("role");
  bool has_role =
      role != nullptr && role->is_string() &&
      std::find(kRoles.begin(), kRoles.end(), std::string_view(role->get_string())) != kRoles.end();
  if (!has_role) return unexpected("role: ", "one of system, developer, user, assistant", role);
  for (const char* name : {"tool_calls", "function_call", "audio"}) {
    const json::value* value = object->if_contains(name);
    bool is_absent =
        value == nullptr || value->is_null() || (value->is_array() && value->get_array().empty());
    if (!is_absent) return {fmt::format("{}: this is not done here", name)};
  }
  const json::value* content = object->if_contains("content");
  if (content == nullptr || !content_of(*content)) {
    return unexpected("content: ", "a string, or parts of type text", content);
  }
  return {};
}

void read_logprobs(JsonFields& fields, CompletionsRequest& request) {
  bool has_logprobs = false;
  std::int32_t most = 0;
  fields.read("logprobs", has_logprobs);
  fields.read("top_logprobs", most, 0, kMostLogprobs);
  if (fields.has("top_logprobs") && most > 0 && !has_logprobs) {
    fields.fail("top_logprobs", "expected it only with logprobs true");
  }
  if (has_logprobs) request.logprobs = most;
}

// Of completions and of vLLM's chats.
void refuse_others(JsonFields& fields) {
  bool echo = false;
  fields.read("echo", echo);
  if (echo) fields.fail("echo", "this is not done in chats; POST /v1/completions has it");
  bool returns_ids = false;
  fields.read("return_token_ids", returns_ids);
  if (returns_ids) {
    fields.fail("return_token_ids", "this is not done in chats, whose logprobs have ids anyway");
  }
  for (const char* name : {"prompt", "prompt_logprobs", "chat_template"}) {
    if (fields.has(name)) fields.fail(name, "this is not done in chats");
  }
}

}  // namespace

Chat read_chat(JsonFields& fields) {
  Chat chat;
  const json::value* field = fields.find("messages");
  if (field == nullptr || !field->is_array() || field->get_array().empty()) {
    fields.refuse("messages", "an array of at least one message");
    return chat;
  }
  const json::array& messages = field->get_array();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Problem problem = problem_of(messages[i]);
    if (!problem.what.empty()) {
      fields.fail("messages", fmt::format("[{}]: {}", i, problem.what), std::move(problem.shown));
      return chat;
    }
    json::object message = messages[i].get_object();
    std::string content = *content_of(message.at("content"));
    message["content"] = content;
    chat.messages.push_back(std::move(message));
  }
  fields.read("continue_final_message", chat.continues);
  bool has_prompt = true;
  fields.read("add_generation_prompt", has_prompt);
  const json::value* arguments = fields.find("chat_template_kwargs");
  if (arguments != nullptr && !arguments->is_object()) {
    fields.refuse("chat_template_kwargs", "an object");
  } else if (arguments != nullptr) {
    chat.variables = arguments->get_object();
  }
  chat.has_arguments = !chat.variables.empty();
  if (!chat.variables.contains("add_generation_prompt")) {
    chat.variables["add_generation_prompt"] = has_prompt;
  }
  return chat;
}

ApiResult<std::string> chat_text(const Chat& chat, const ChatTemplate& chat_template) {
  if (!chat_template.recognises_special() && chat.has_arguments) {
    return bad_field("chat_template_kwargs", "the plain template has no arguments");
  }
  if (chat_template.recognises_special() && chat.continues) {
    return bad_field("continue_final_message", "this is not done here with a template");
  }
  return chat_template.render(chat.messages, chat.variables, kMostChatBytes);
}

ApiResult<void> use_template(CompletionsRequest& request, const ChatTemplate& chat_template) {
  CHORUS_TRY(std::string text, chat_text(request.chat, chat_template));
  request.special = request.special || chat_template.recognises_special();
  request.prompts = {Prompt{std::move(text), {}}};
  return ok();
}

ApiResult<CompletionsRequest> parse_chat(std::string_view body) {
  CHORUS_TRY(json::object object, parse_body(body));
  JsonFields fields(object);
  CompletionsRequest request;
  request.is_chat = true;
  request.chat = read_chat(fields);
  request.prompts.emplace_back();
  read_logprobs(fields, request);
  refuse_others(fields);
  read_common(fields, object, request);
  return finish_request(fields, std::move(request));
}

}  // namespace chorus::server
