#include "jinja/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/printable.h"

namespace chorus::jinja {
namespace {

constexpr int kDeepest = 64;
constexpr std::array<std::string_view, 6> kComparisons = {"==", "!=", "<", ">", "<=", ">="};
constexpr std::array<std::string_view, 7> kLoopNames = {"index", "index0", "revindex", "revindex0",
                                                        "first", "last",   "length"};
constexpr std::array<std::string_view, 9> kTests = {
    "defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "true", "false"};

struct Known {
  std::string_view name;
  std::size_t least, most;  // arguments
};
constexpr std::array<Known, 13> kFilters = {{{"trim", 0, 0},
                                             {"upper", 0, 0},
                                             {"lower", 0, 0},
                                             {"capitalize", 0, 0},
                                             {"length", 0, 0},
                                             {"count", 0, 0},
                                             {"string", 0, 0},
                                             {"first", 0, 0},
                                             {"last", 0, 0},
                                             {"join", 0, 1},
                                             {"replace", 2, 2},
                                             {"default", 1, 2},
                                             {"d", 1, 2}}};
constexpr std::array<Known, 12> kMethods = {{{"strip", 0, 0},
                                             {"lstrip", 0, 0},
                                             {"rstrip", 0, 0},
                                             {"upper", 0, 0},
                                             {"lower", 0, 0},
                                             {"capitalize", 0, 0},
                                             {"title", 0, 0},
                                             {"startswith", 1, 1},
                                             {"endswith", 1, 1},
                                             {"split", 1, 1},
                                             {"replace", 2, 2},
                                             {"get", 1, 2}}};

template <class Names>
bool contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

template <class Table>
const Known* find(const Table& table, std::string_view name) {
  auto found = std::find_if(table.begin(), table.end(),
                            [name](const Known& one) { return one.name == name; });
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

// Nested expressions are bounded, and with them the recursion here and wherever trees are walked.
class ExpressionParser::Depth {
 public:
  explicit Depth(int& depth) : depth_(++depth) {}
  ~Depth() { --depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;
  bool is_too_much() const { return depth_ > kDeepest; }

 private:
  int& depth_;
};

Expression ExpressionParser::make(Expression::Kind kind, std::string text) const {
  return {.kind = kind, .text = std::move(text), .line = piece_.line};
}

Result<Expression> ExpressionParser::joined(Expression both, Expression left,
                                            Result<Expression> right) {
  both.children.push_back(std::move(left));
  CHORUS_TRY(both.children.emplace_back(), std::move(right));
  return both;
}

bool ExpressionParser::take_operator(std::string_view which) {
  if (!peek().is_operator(which)) return false;
  ++at_;
  return true;
}

bool ExpressionParser::take_name(std::string_view which) {
  if (!peek().is_name(which)) return false;
  ++at_;
  return true;
}

Result<std::string> ExpressionParser::name() {
  if (peek().kind != Token::Kind::kName) return unexpected();
  return piece_.tokens[at_++].text;
}

Result<void> ExpressionParser::end() const {
  if (peek().kind != Token::Kind::kEnd) return unexpected();
  return ok();
}

Error ExpressionParser::unexpected() const {
  if (peek().kind == Token::Kind::kEnd) {
    return at_line(piece_.line, ErrorCode::kCorrupt,
                   "something is missing at the end of an expression");
  }
  std::string text =
      peek().kind == Token::Kind::kInteger ? fmt::format("{}", peek().integer) : peek().text;
  return at_line(piece_.line, ErrorCode::kCorrupt,
                 fmt::format("{} does not belong there", in_quotes(text)));
}

Error ExpressionParser::not_done(std::string_view what) const {
  return at_line(piece_.line, ErrorCode::kUnsupported, fmt::format("{} is not done here", what));
}

Result<Expression> ExpressionParser::expression() {
  Depth depth(depth_);
  if (depth.is_too_much()) return not_done("an expression so deeply nested");
  CHORUS_TRY(Expression value, disjunction());
  while (take_name("if")) {
    Expression result = make(Expression::Kind::kIf);
    result.children.push_back(std::move(value));
    CHORUS_TRY(result.children.emplace_back(), disjunction());
    if (take_name("else")) {
      CHORUS_TRY(result.children.emplace_back(), expression());
    }
    value = std::move(result);
  }
  return value;
}

Result<Expression> ExpressionParser::disjunction() {
  CHORUS_TRY(Expression left, conjunction());
  while (take_name("or")) {
    CHORUS_TRY(left, joined(make(Expression::Kind::kOr), std::move(left), conjunction()));
  }
  return left;
}

Result<Expression> ExpressionParser::conjunction() {
  CHORUS_TRY(Expression left, negation());
  while (take_name("and")) {
    CHORUS_TRY(left, joined(make(Expression::Kind::kAnd), std::move(left), negation()));
  }
  return left;
}

Result<Expression> ExpressionParser::negation() {
  if (!take_name("not")) return comparison();
  Depth depth(depth_);
  if (depth.is_too_much()) return not_done("an expression so deeply nested");
  Expression result = make(Expression::Kind::kNot);
  CHORUS_TRY(result.children.emplace_back(), negation());
  return result;
}

Result<Expression> ExpressionParser::comparison() {
  CHORUS_TRY(Expression left, sum());
  for (int count = 0;; ++count) {
    std::string how;
    if (peek().kind == Token::Kind::kOperator && contains(kComparisons, peek().text)) {
      how = piece_.tokens[at_++].text;
    } else if (take_name("in")) {
      how = "in";
    } else if (peek().is_name("not") && piece_.tokens[at_ + 1].is_name("in")) {
      at_ += 2;
      how = "not in";
    } else {
      return left;
    }
    if (count > 0) return not_done("a comparison of a comparison");
    CHORUS_TRY(left, joined(make(Expression::Kind::kBinary, how), std::move(left), sum()));
  }
}

// The three of a form: operators that are taken from left to right, and what stands between them.
Result<Expression> ExpressionParser::sum() {
  CHORUS_TRY(Expression left, concatenation());
  while (peek().is_operator("+") || peek().is_operator("-")) {
    Expression both = make(Expression::Kind::kBinary, piece_.tokens[at_++].text);
    CHORUS_TRY(left, joined(std::move(both), std::move(left), concatenation()));
  }
  return left;
}

Result<Expression> ExpressionParser::concatenation() {
  CHORUS_TRY(Expression left, product());
  while (take_operator("~")) {
    CHORUS_TRY(left, joined(make(Expression::Kind::kBinary, "~"), std::move(left), product()));
  }
  return left;
}

Result<Expression> ExpressionParser::product() {
  CHORUS_TRY(Expression left, sign());
  while (true) {
    if (peek().is_operator("/") || peek().is_operator("**")) return not_done(peek().text);
    if (!peek().is_operator("*") && !peek().is_operator("//") && !peek().is_operator("%"))
      return left;
    Expression both = make(Expression::Kind::kBinary, piece_.tokens[at_++].text);
    CHORUS_TRY(left, joined(std::move(both), std::move(left), sign()));
  }
}

Result<Expression> ExpressionParser::sign() {
  Depth depth(depth_);
  if (depth.is_too_much()) return not_done("an expression so deeply nested");
  if (take_operator("-")) {
    Expression result = make(Expression::Kind::kNegative);
    CHORUS_TRY(result.children.emplace_back(), sign());
    return result;
  }
  CHORUS_TRY(Expression value, operand());
  return behind(std::move(value));
}

Result<Expression> ExpressionParser::operand() {
  const Token& token = peek();
  Expression result = make(Expression::Kind::kLiteral);
  if (token.kind == Token::Kind::kString) {
    std::string text;
    while (peek().kind == Token::Kind::kString) text += piece_.tokens[at_++].text;
    result.literal = text;
    return result;
  }
  if (token.kind == Token::Kind::kInteger) {
    result.literal = token.integer;
    ++at_;
    return result;
  }
  if (take_operator("(")) {
    CHORUS_TRY(result, expression());
    if (peek().is_operator(",")) return not_done("a tuple");
    if (!take_operator(")")) return unexpected();
    return result;
  }
  if (take_operator("[")) {
    result.kind = Expression::Kind::kList;
    while (!take_operator("]")) {
      if (!result.children.empty() && !take_operator(",")) return unexpected();
      CHORUS_TRY(result.children.emplace_back(), expression());
    }
    return result;
  }
  if (peek().is_operator("{")) return not_done("a dictionary");
  CHORUS_TRY(std::string text, name());
  for (const char* one : {"true", "True", "false", "False"}) {
    if (text != one) continue;
    result.literal = text == "true" || text == "True";
    return result;
  }
  if (text == "none" || text == "None") return result;
  for (const char* word : {"and", "or", "not", "in", "is", "if", "else"}) {
    if (text != word) continue;
    --at_;
    return unexpected();
  }
  if (peek().is_operator("(")) return call(text);
  result.kind = Expression::Kind::kName;
  result.text = std::move(text);
  return result;
}

Result<Expression> ExpressionParser::call(const std::string& function) {
  ++at_;  // (
  if (function == "raise_exception") {
    Expression result = make(Expression::Kind::kRaise);
    CHORUS_TRY(result.children.emplace_back(), expression());
    if (!take_operator(")")) return unexpected();
    return result;
  }
  if (function != "namespace") return not_done("the function " + function);
  Expression result = make(Expression::Kind::kNamespace);
  while (!take_operator(")")) {
    if (!result.names.empty() && !take_operator(",")) return unexpected();
    CHORUS_TRY(result.names.emplace_back(), name());
    if (!take_operator("=")) return unexpected();
    CHORUS_TRY(result.children.emplace_back(), expression());
  }
  return result;
}

// What stands behind a value: .name, [item], |filter, is test, .method().
Result<Expression> ExpressionParser::behind(Expression value) {
  for (int count = 0;; ++count) {
    if (count > kDeepest) return not_done("an expression so deeply nested");
    if (take_operator(".")) {
      bool is_loop = value.kind == Expression::Kind::kName && value.text == "loop";
      CHORUS_TRY(std::string attribute, name());
      if (is_loop && !contains(kLoopNames, attribute)) return not_done("loop." + attribute);
      bool is_call = peek().is_operator("(");
      Expression result =
          make(is_call ? Expression::Kind::kMethod : Expression::Kind::kAttribute, attribute);
      result.children.push_back(std::move(value));
      if (is_call) {
        const Known* known = find(kMethods, attribute);
        if (known == nullptr) return not_done("the method " + attribute);
        CHORUS_TRY(arguments(result));
        std::size_t given = result.children.size() - 1;
        if (given < known->least || given > known->most)
          return not_done(attribute + " with such arguments");
      }
      value = std::move(result);
    } else if (take_operator("[")) {
      CHORUS_TRY(value, item(std::move(value)));
    } else if (take_operator("|")) {
      CHORUS_TRY(value, filter(std::move(value)));
    } else if (take_name("is")) {
      CHORUS_TRY(value, test(std::move(value)));
    } else if (peek().is_operator("(")) {
      return not_done("a call of this");
    } else {
      return value;
    }
  }
}

Result<void> ExpressionParser::arguments(Expression& value) {
  ++at_;  // (
  std::size_t before = value.children.size();
  while (!take_operator(")")) {
    if (value.children.size() > before && !take_operator(",")) return unexpected();
    if (peek().kind == Token::Kind::kName && piece_.tokens[at_ + 1].is_operator("=")) {
      return not_done("an argument by name");
    }
    CHORUS_TRY(value.children.emplace_back(), expression());
  }
  return ok();
}

Result<Expression> ExpressionParser::item(Expression value) {
  Expression result = make(Expression::Kind::kItem);
  result.children.push_back(std::move(value));
  if (!peek().is_operator(":")) {
    CHORUS_TRY(result.children.emplace_back(), expression());
  } else {
    result.children.push_back(make(Expression::Kind::kLiteral));
  }
  if (take_operator(":")) {
    result.kind = Expression::Kind::kSlice;
    result.children.push_back(make(Expression::Kind::kLiteral));
    if (!peek().is_operator("]") && !peek().is_operator(":")) {
      CHORUS_TRY(result.children.back(), expression());
    }
    if (peek().is_operator(":")) return not_done("a slice with a step");
  }
  if (!take_operator("]")) return unexpected();
  return result;
}

Result<Expression> ExpressionParser::filter(Expression value) {
  CHORUS_TRY(std::string which, name());
  const Known* known = find(kFilters, which);
  if (known == nullptr) return not_done("the filter " + which);
  Expression result = make(Expression::Kind::kFilter, which);
  result.children.push_back(std::move(value));
  if (peek().is_operator("(")) {
    CHORUS_TRY(arguments(result));
  }
  std::size_t given = result.children.size() - 1;
  if (given < known->least || given > known->most) return not_done(which + " with such arguments");
  return result;
}

Result<Expression> ExpressionParser::test(Expression value) {
  bool is_not = take_name("not");
  CHORUS_TRY(std::string which, name());
  if (!contains(kTests, which)) return not_done("the test " + which);
  // To Jinja whatever else begins a value is the test's argument.
  bool goes_on = peek().is_name("else") || peek().is_name("or") || peek().is_name("and");
  bool has_argument = peek().kind == Token::Kind::kName || peek().kind == Token::Kind::kString ||
                      peek().kind == Token::Kind::kInteger || peek().is_operator("(") ||
                      peek().is_operator("[") || peek().is_operator("{");
  if (has_argument && !goes_on) return not_done("a test of two values");
  Expression result = make(Expression::Kind::kTest, which);
  result.children.push_back(std::move(value));
  if (!is_not) return result;
  Expression negated = make(Expression::Kind::kNot);
  negated.children.push_back(std::move(result));
  return negated;
}

}  // namespace chorus::jinja
