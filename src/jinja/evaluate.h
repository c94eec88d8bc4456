// The value of an expression, given the variables: as Python and Jinja would compute it, or an error.
// Work is bounded. One thread at a time.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"
#include "jinja/expression.h"

namespace chorus::jinja {

// JSON's values are those of Jinja, but for one: null is undefined. Parts of a value share its owner.
using Value = std::shared_ptr<const boost::json::value>;

Value make_value(boost::json::value value);

class Evaluator {
 public:
  // The variables must outlive it.
  explicit Evaluator(const boost::json::object& variables) : variables_(variables) {}

  // Errors: kInvalidArgument, with the line; of raise_exception() its message alone.
  Result<Value> evaluate(const Expression& expression);

  static bool is_true(const Value& value);
  // As it is written into a text. Errors: kUnsupported for lists, objects and fractions.
  Result<std::string> text_of(const Value& value, std::size_t line);

  // Names that were set hide those given; the innermost hide the others.
  void open_scope() { scopes_.emplace_back(); }
  void close_scope() { scopes_.pop_back(); }
  void set(const std::string& name, Value value) { scopes_.back()[name] = std::move(value); }
  // A key of a namespace. Errors: there is none of that name.
  Result<void> set_in(const std::string& name, const std::string& key, Value value,
                      std::size_t line);

  // Counts what is done, in about the bytes that are touched. Errors: it is too much.
  Result<void> spend(std::size_t bytes, std::size_t line);

 private:
  Value find(const std::string& name) const;
  Result<Value> attribute(const Value& object, const std::string& name, std::size_t line) const;
  Result<Value> item(const Expression& expression);
  Result<Value> slice(const Expression& expression);
  Result<Value> binary(const Expression& expression);
  Result<Value> plus(const Value& left, const Value& right, std::size_t line);
  Result<Value> apply(const Expression& expression);  // filters and methods
  Result<bool> contains(const Value& all, const Value& one, std::size_t line);
  Result<Value> list(const Expression& expression);
  Result<Value> make_namespace(const Expression& expression);

  const boost::json::object& variables_;
  std::vector<std::map<std::string, Value, std::less<>>> scopes_{1};
  std::size_t spent_ = 0;
};

}  // namespace chorus::jinja
