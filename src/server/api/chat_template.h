// How messages become the text that a model continues: plain, or by a template in Jinja. Immutable.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "chorus/engine.h"
#include "jinja/template.h"
#include "server/api/api_error.h"

namespace chorus::server {

// Which one the server was started with.
struct ChatTemplateOption {
  enum class Kind {
    kNone,   // there are no chats
    kPlain,  // the messages' contents in their order, joined by a line's end; roles leave no trace
    kModel,  // each model's own
    kGiven,  // one for all models
  };
  Kind kind = Kind::kNone;
  std::string source = {};  // of kGiven, in Jinja

  // Whether few bytes may take long, up to the tenth of a second or so that a template is given.
  bool is_program() const { return kind == Kind::kModel || kind == Kind::kGiven; }
};

// "plain", "model" or the path of a file in Jinja; "" is kNone. Errors: those of the file.
Result<ChatTemplateOption> read_chat_template_option(const std::string& name);

// Of one model.
class ChatTemplate {
 public:
  // Empty where there are no chats. Errors: kNotFound where the model has no template of its own, those of the
  // template, with its line.
  static Result<std::optional<ChatTemplate>> make(const ChatTemplateOption& option,
                                                  const Engine& engine);

  // Whether the names of special tokens in the text are these tokens, as transformers has it.
  bool recognises_special() const { return template_.has_value(); }

  // `messages` were checked; each has a role and a content, which is a string. `variables` are further ones, of
  // the request. Errors: 400, naming messages.
  ApiResult<std::string> render(const boost::json::array& messages,
                                const boost::json::object& variables, std::size_t most_bytes) const;

 private:
  std::optional<jinja::Template> template_;  // empty: plain
  boost::json::object tokens_;               // bos_token and the like
};

}  // namespace chorus::server
