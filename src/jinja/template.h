// The part of the template language Jinja that models' chat templates are written in, as
// transformers renders them: text, {{ }}, for, if, set, namespace, the usual filters, methods and tests. All
// else is refused by its name when the template is read, so that a template that was taken gives the
// text that Jinja would. (Behaviour: Jinja 3.1 with transformers' settings.) Not done: macros, imports,
// anything that depends on the time or reads a file.
//
// Thread contract: a Template is immutable.
#pragma once

#include <boost/json/object.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "chorus/error.h"

namespace chorus::jinja {

struct Block;

class Template {
 public:
  // Errors: kCorrupt, kUnsupported, with the line.
  static Result<Template> parse(std::string_view source);

  // The text, with these variables. Errors: kInvalidArgument: what the template itself raises, in its
  // words; what Jinja would not compute either, with the line; more work than a tenth of a second or so; a text of
  // more than `most_bytes`. kUnsupported: what only shows now, such as writing a list.
  Result<std::string> render(const boost::json::object& variables, std::size_t most_bytes) const;

 private:
  explicit Template(std::shared_ptr<const Block> block) : block_(std::move(block)) {}
  std::shared_ptr<const Block> block_;
};

}  // namespace chorus::jinja
