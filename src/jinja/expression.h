// Expressions of Jinja as trees, and how they are parsed: Jinja's own precedence. What is not done
// here, a filter or function for instance, is refused by its name when it is parsed. Pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <string>
#include <vector>

#include "chorus/error.h"
#include "jinja/lexer.h"

namespace chorus::jinja {

struct Expression {
  enum class Kind {
    kLiteral,    // `literal`
    kList,       // of the children
    kName,       // the variable `text`
    kAttribute,  // of the child: `text`
    kItem,       // of the first child, at the second
    kSlice,      // of the first child, from the second to the third; of kLiteral null: to the end
    kNot,
    kNegative,
    kAnd,
    kOr,
    kIf,         // children: value, condition, and what else (may be missing)
    kBinary,     // `text` is the operator
    kTest,       // whether the child is `text`
    kFilter,     // `text` of the first child; the others are its arguments
    kMethod,     // the same, called by the first child
    kRaise,      // an error with the child as its message
    kNamespace,  // an object; `names` are its keys, the children their values
  };
  Kind kind = Kind::kLiteral;
  std::string text = {};
  boost::json::value literal = {};
  std::vector<Expression> children = {};
  std::vector<std::string> names = {};
  std::size_t line = 1;
};

// Reads tokens of one piece, from the first on.
class ExpressionParser {
 public:
  explicit ExpressionParser(const Piece& piece) : piece_(piece) {}

  // Errors: kCorrupt, kUnsupported, with the line.
  Result<Expression> expression();
  // One without an if of its own, as a condition is.
  Result<Expression> disjunction();

  // For statements around expressions.
  const Token& peek() const { return piece_.tokens[at_]; }
  bool take_operator(std::string_view which);
  bool take_name(std::string_view which);
  Result<std::string> name();  // the next token, which must be one
  Result<void> end() const;    // nothing may follow
  Error unexpected() const;    // the next token
  Error not_done(std::string_view what) const;

 private:
  class Depth;
  Result<Expression> conjunction();
  Result<Expression> negation();
  Result<Expression> comparison();
  Result<Expression> sum();
  Result<Expression> concatenation();
  Result<Expression> product();
  Result<Expression> sign();
  Result<Expression> operand();
  Result<Expression> behind(Expression value);
  Result<Expression> item(Expression value);
  Result<Expression> test(Expression value);
  Result<Expression> filter(Expression value);
  Result<Expression> call(const std::string& name);
  Result<void> arguments(Expression& value);
  Expression make(Expression::Kind kind, std::string text = {}) const;
  // `both` with these two children.
  static Result<Expression> joined(Expression both, Expression left, Result<Expression> right);

  const Piece& piece_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace chorus::jinja
