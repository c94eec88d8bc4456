#include "jinja/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "jinja/python_text.h"

namespace chorus::jinja {
namespace {

namespace json = boost::json;

// A tenth of a second, where a byte is a nanosecond.
constexpr std::size_t kMostWork = 50'000'000;
constexpr std::size_t kWorkOfStep = 50;

Error wrong(std::size_t line, std::string_view what) {
  return at_line(line, ErrorCode::kInvalidArgument, what);
}

const char* kind_of(const Value& value) {
  if (!value) return "nothing (it is undefined)";
  if (value->is_null()) return "none";
  if (value->is_bool()) return "a truth value";
  if (value->is_string()) return "a text";
  if (value->is_array()) return "a list";
  if (value->is_object()) return "an object";
  return "a number";
}

std::optional<std::string_view> text_in(const Value& value) {
  if (!value || !value->is_string()) return std::nullopt;
  return std::string_view(value->get_string());
}

// Truth values count as numbers, as in Python.
std::optional<std::int64_t> integer_in(const Value& value) {
  if (!value) return std::nullopt;
  if (value->is_bool()) return value->get_bool() ? 1 : 0;
  if (value->is_int64()) return value->get_int64();
  return std::nullopt;
}

std::optional<double> number_in(const json::value& value) {
  if (value.is_bool()) return value.get_bool() ? 1.0 : 0.0;
  if (value.is_number()) return value.to_number<double>();
  return std::nullopt;
}

bool are_equal(const json::value& left, const json::value& right) {
  auto a = number_in(left), b = number_in(right);
  return a && b ? *a == *b : left == right;
}

// About how much copying or comparing costs.
std::size_t weight(const json::value& value) {
  std::size_t result = 16;
  if (value.is_string()) result += value.get_string().size();
  if (value.is_array()) {
    for (const json::value& one : value.get_array()) result += weight(one);
  }
  if (value.is_object()) {
    for (const auto& one : value.get_object()) result += one.key().size() + weight(one.value());
  }
  return result;
}
std::size_t weight(const Value& value) { return value ? weight(*value) : 0; }

// A part of a value, which shares its owner.
Value part(const Value& whole, const json::value& of_it) { return {whole, &of_it}; }

std::optional<std::int64_t> whole_result(std::string_view operation, std::int64_t a,
                                         std::int64_t b) {
  std::int64_t result = 0;
  bool overflows = false;
  if (operation == "+") overflows = __builtin_add_overflow(a, b, &result);
  if (operation == "-") overflows = __builtin_sub_overflow(a, b, &result);
  if (operation == "*") overflows = __builtin_mul_overflow(a, b, &result);
  if (operation == "//" || operation == "%") {
    if (b == 0 || (b == -1 && a == std::numeric_limits<std::int64_t>::min())) return std::nullopt;
    std::int64_t quotient = a / b, rest = a % b;
    if (rest != 0 && (rest < 0) != (b < 0)) {  // rounded down
      --quotient;
      rest += b;
    }
    result = operation == "%" ? rest : quotient;
  }
  if (overflows) return std::nullopt;
  return result;
}

// Python's text[a:b] counts from the end below zero, and stops at the ends.
std::size_t bound(std::int64_t index, std::size_t size) {
  auto length = static_cast<std::int64_t>(size);
  if (index < 0) index += length;
  return static_cast<std::size_t>(std::clamp<std::int64_t>(index, 0, length));
}

}  // namespace

Value make_value(json::value value) {
  return std::make_shared<const json::value>(std::move(value));
}

Result<void> Evaluator::spend(std::size_t bytes, std::size_t line) {
  spent_ += bytes;
  if (spent_ > kMostWork) return wrong(line, "the template has too much to do for this");
  return ok();
}

bool Evaluator::is_true(const Value& value) {
  if (!value || value->is_null()) return false;
  if (value->is_string()) return !value->get_string().empty();
  if (value->is_array()) return !value->get_array().empty();
  if (value->is_object()) return !value->get_object().empty();
  return number_in(*value) != 0.0;
}

Result<std::string> Evaluator::text_of(const Value& value, std::size_t line) {
  if (!value) return std::string();
  if (auto text = text_in(value)) {
    CHORUS_TRY(spend(text->size(), line));
    return std::string(*text);
  }
  if (value->is_null()) return std::string("None");
  if (value->is_bool()) return std::string(value->get_bool() ? "True" : "False");
  if (value->is_int64()) return fmt::format("{}", value->get_int64());
  if (value->is_uint64()) return fmt::format("{}", value->get_uint64());
  return at_line(line, ErrorCode::kUnsupported,
                 fmt::format("writing {} is not done here", kind_of(value)));
}

Value Evaluator::find(const std::string& name) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (auto found = scope->find(name); found != scope->end()) return found->second;
  }
  const json::value* given = variables_.if_contains(name);
  // They outlive this: nobody owns them here.
  return given == nullptr ? nullptr : Value(Value(), given);
}

Result<void> Evaluator::set_in(const std::string& name, const std::string& key, Value value,
                               std::size_t line) {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    auto found = scope->find(name);
    if (found == scope->end() || !found->second || !found->second->is_object()) continue;
    CHORUS_TRY(spend(weight(found->second) + weight(value), line));
    json::object changed = found->second->get_object();
    changed[key] = value ? *value : json::value();
    found->second = make_value(std::move(changed));
    return ok();
  }
  return wrong(line, fmt::format("there is no namespace {} to set {} in", name, key));
}

Result<Value> Evaluator::attribute(const Value& object, const std::string& name,
                                   std::size_t line) const {
  if (!object) return wrong(line, fmt::format("{} of what is undefined", name));
  if (!object->is_object()) return Value();
  const json::value* found = object->get_object().if_contains(name);
  return found == nullptr ? Value() : part(object, *found);
}

Result<Value> Evaluator::evaluate(const Expression& expression) {
  using Kind = Expression::Kind;
  const auto& children = expression.children;
  CHORUS_TRY(spend(kWorkOfStep, expression.line));
  switch (expression.kind) {
    case Kind::kLiteral:
      return Value(Value(), &expression.literal);
    case Kind::kList:
      return list(expression);
    case Kind::kName:
      return find(expression.text);
    case Kind::kAttribute: {
      CHORUS_TRY(Value object, evaluate(children[0]));
      return attribute(object, expression.text, expression.line);
    }
    case Kind::kItem:
      return item(expression);
    case Kind::kSlice:
      return slice(expression);
    case Kind::kNot: {
      CHORUS_TRY(Value value, evaluate(children[0]));
      return make_value(!is_true(value));
    }
    case Kind::kNegative: {
      CHORUS_TRY(Value value, evaluate(children[0]));
      auto number = integer_in(value);
      auto result = number ? whole_result("-", 0, *number) : std::nullopt;
      if (!result) return wrong(expression.line, fmt::format("- of {}", kind_of(value)));
      return make_value(*result);
    }
    case Kind::kAnd: {
      CHORUS_TRY(Value value, evaluate(children[0]));
      return is_true(value) ? evaluate(children[1]) : Result<Value>(value);
    }
    case Kind::kOr: {
      CHORUS_TRY(Value value, evaluate(children[0]));
      return is_true(value) ? Result<Value>(value) : evaluate(children[1]);
    }
    case Kind::kIf: {
      CHORUS_TRY(Value condition, evaluate(children[1]));
      if (is_true(condition)) return evaluate(children[0]);
      return children.size() > 2 ? evaluate(children[2]) : Result<Value>(Value());
    }
    case Kind::kBinary:
      return binary(expression);
    case Kind::kTest: {
      CHORUS_TRY(Value value, evaluate(children[0]));
      const std::string& test = expression.text;
      bool result = test == "defined"     ? value != nullptr
                    : test == "undefined" ? value == nullptr
                    : test == "none"      ? value && value->is_null()
                    : test == "string"    ? value && value->is_string()
                    : test == "mapping"   ? value && value->is_object()
                    : test == "true"      ? value && value->is_bool() && value->get_bool()
                    : test == "false"
                        ? value && value->is_bool() && !value->get_bool()
                        // iterable and sequence; to Jinja undefined is an empty list
                        : !value || value->is_string() || value->is_array() || value->is_object();
      return make_value(result);
    }
    case Kind::kFilter:
    case Kind::kMethod:
      return apply(expression);
    case Kind::kRaise: {
      CHORUS_TRY(Value message, evaluate(children[0]));
      CHORUS_TRY(std::string text, text_of(message, expression.line));
      return Error{ErrorCode::kInvalidArgument, text};
    }
    case Kind::kNamespace:
      return make_namespace(expression);
  }
  return Value();
}

Result<Value> Evaluator::list(const Expression& expression) {
  json::array result;
  for (const Expression& child : expression.children) {
    CHORUS_TRY(Value value, evaluate(child));
    CHORUS_TRY(spend(weight(value), expression.line));
    result.push_back(value ? *value : json::value());
  }
  return make_value(std::move(result));
}

Result<Value> Evaluator::make_namespace(const Expression& expression) {
  json::object result;
  for (std::size_t i = 0; i < expression.names.size(); ++i) {
    CHORUS_TRY(Value value, evaluate(expression.children[i]));
    CHORUS_TRY(spend(weight(value), expression.line));
    result[expression.names[i]] = value ? *value : json::value();
  }
  return make_value(std::move(result));
}

Result<Value> Evaluator::item(const Expression& expression) {
  CHORUS_TRY(Value whole, evaluate(expression.children[0]));
  CHORUS_TRY(Value index, evaluate(expression.children[1]));
  if (auto name = text_in(index)) return attribute(whole, std::string(*name), expression.line);
  if (!whole) return wrong(expression.line, "an item of what is undefined");
  auto number = integer_in(index);
  if (!number || !whole->is_array()) {
    if (whole->is_object()) return Value();
    return wrong(expression.line, fmt::format("item {} of {}", kind_of(index), kind_of(whole)));
  }
  const json::array& items = whole->get_array();
  std::int64_t at = *number < 0 ? *number + static_cast<std::int64_t>(items.size()) : *number;
  if (at < 0 || at >= static_cast<std::int64_t>(items.size())) return Value();
  return part(whole, items[static_cast<std::size_t>(at)]);
}

Result<Value> Evaluator::slice(const Expression& expression) {
  CHORUS_TRY(Value whole, evaluate(expression.children[0]));
  CHORUS_TRY(Value begin, evaluate(expression.children[1]));
  CHORUS_TRY(Value end, evaluate(expression.children[2]));
  if (!whole || !whole->is_array()) {
    return wrong(expression.line, fmt::format("a part of {}: expected a list", kind_of(whole)));
  }
  auto limit = [](const Value& value, std::int64_t otherwise) {
    return value && value->is_null() ? std::optional(otherwise) : integer_in(value);
  };
  const json::array& items = whole->get_array();
  auto first = limit(begin, 0), last = limit(end, std::numeric_limits<std::int64_t>::max());
  if (!first || !last) return wrong(expression.line, "the ends of a part: expected whole numbers");
  std::size_t from = bound(*first, items.size()), to = std::max(from, bound(*last, items.size()));
  json::array result;
  for (std::size_t i = from; i < to; ++i) {
    CHORUS_TRY(spend(weight(items[i]), expression.line));
    result.push_back(items[i]);
  }
  return make_value(std::move(result));
}

Result<bool> Evaluator::contains(const Value& all, const Value& one, std::size_t line) {
  CHORUS_TRY(spend(weight(all), line));
  if (auto text = text_in(all)) {
    auto part = text_in(one);
    if (!part) return wrong(line, fmt::format("{} in a text", kind_of(one)));
    return text->find(*part) != std::string_view::npos;
  }
  if (all && all->is_array()) {
    const json::array& items = all->get_array();
    return one && std::any_of(items.begin(), items.end(),
                              [&](const auto& item) { return are_equal(item, *one); });
  }
  if (all && all->is_object()) {
    auto key = text_in(one);
    return key && all->get_object().contains(*key);
  }
  if (!all) return false;
  return wrong(line, fmt::format("in {}", kind_of(all)));
}

Result<Value> Evaluator::plus(const Value& left, const Value& right, std::size_t line) {
  auto a = text_in(left), b = text_in(right);
  if (a && b) {
    CHORUS_TRY(spend(a->size() + b->size(), line));
    return make_value(json::string(std::string(*a).append(*b)));
  }
  if (left && right && left->is_array() && right->is_array()) {
    CHORUS_TRY(spend(weight(left) + weight(right), line));
    json::array both = left->get_array();
    for (const json::value& one : right->get_array()) both.push_back(one);
    return make_value(std::move(both));
  }
  return wrong(line, fmt::format("{} + {}", kind_of(left), kind_of(right)));
}

Result<Value> Evaluator::binary(const Expression& expression) {
  const std::string& operation = expression.text;
  std::size_t line = expression.line;
  CHORUS_TRY(Value left, evaluate(expression.children[0]));
  CHORUS_TRY(Value right, evaluate(expression.children[1]));
  if (operation == "==" || operation == "!=") {
    CHORUS_TRY(spend(std::min(weight(left), weight(right)), line));
    bool equal = left && right ? are_equal(*left, *right) : left == right;
    return make_value(equal == (operation == "=="));
  }
  if (operation == "in" || operation == "not in") {
    CHORUS_TRY(bool result, contains(right, left, line));
    return make_value(result == (operation == "in"));
  }
  if (operation == "~") {
    CHORUS_TRY(std::string a, text_of(left, line));
    CHORUS_TRY(std::string b, text_of(right, line));
    return make_value(json::string(a + b));
  }
  auto a = integer_in(left), b = integer_in(right);
  if (operation == "<" || operation == ">" || operation == "<=" || operation == ">=") {
    auto s = text_in(left), t = text_in(right);
    if (!(a && b) && !(s && t)) {
      return wrong(line, fmt::format("{} {} {}", kind_of(left), operation, kind_of(right)));
    }
    int order = a && b ? (*a > *b) - (*a < *b) : s->compare(*t);
    return make_value(operation[0] == '<' ? order < 0 || (order == 0 && operation.size() == 2)
                                          : order > 0 || (order == 0 && operation.size() == 2));
  }
  if (a && b) {
    if (auto result = whole_result(operation, *a, *b)) return make_value(*result);
    return wrong(line, fmt::format("{} {} {} is no whole number of 64 bits", *a, operation, *b));
  }
  if (operation == "+") return plus(left, right, line);
  return wrong(line, fmt::format("{} {} {}", kind_of(left), operation, kind_of(right)));
}

Result<Value> Evaluator::apply(const Expression& expression) {
  const std::string& name = expression.text;
  std::size_t line = expression.line;
  std::vector<Value> given;
  for (const Expression& child : expression.children) {
    CHORUS_TRY(given.emplace_back(), evaluate(child));
  }
  Value value = given[0];
  if (name == "default" || name == "d") {
    bool is_there = value && (given.size() < 3 || !is_true(given[2]) || is_true(value));
    return is_there ? value : given[1];
  }
  if (name == "get") {
    if (!value || !value->is_object()) return wrong(line, fmt::format("get of {}", kind_of(value)));
    auto key = text_in(given[1]);
    const json::value* found = key ? value->get_object().if_contains(*key) : nullptr;
    if (found != nullptr) return part(value, *found);
    return given.size() > 2 ? given[2] : make_value(nullptr);
  }
  CHORUS_TRY(spend(value && !value->is_string() ? 16 : weight(value), line));
  const json::array* items = value ? value->if_array() : nullptr;
  if (name == "length" || name == "count") {
    if (auto text = text_in(value))
      return make_value(static_cast<std::int64_t>(count_code_points(*text)));
    if (items != nullptr) return make_value(static_cast<std::int64_t>(items->size()));
    if (!value) return make_value(0);
    if (value->is_object())
      return make_value(static_cast<std::int64_t>(value->get_object().size()));
    return wrong(line, fmt::format("the length of {}", kind_of(value)));
  }
  if ((name == "first" || name == "last") && (items != nullptr || !value)) {
    if (items == nullptr || items->empty()) return Value();
    return part(value, name == "first" ? items->front() : items->back());
  }
  if (name == "join" && (items != nullptr || !value)) {
    std::string separator, result;
    if (given.size() > 1) {
      CHORUS_TRY(separator, text_of(given[1], line));
    }
    for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
      CHORUS_TRY(std::string text, text_of(part(value, (*items)[i]), line));
      CHORUS_TRY(spend(separator.size(), line));
      result += (i == 0 ? "" : separator) + text;
    }
    return make_value(json::string(result));
  }
  if (name == "first" || name == "last" || name == "join") {
    return at_line(line, ErrorCode::kUnsupported,
                   fmt::format("{} of {} is not done here", name, kind_of(value)));
  }
  bool is_filter = expression.kind == Expression::Kind::kFilter;
  auto text = text_in(value);
  std::string written;  // filters take whatever can be written
  if (!text && is_filter) {
    CHORUS_TRY(written, text_of(value, line));
    text = written;
  }
  if (!text) return wrong(line, fmt::format("{} of {}", name, kind_of(value)));
  auto as_value = [](std::string_view result) { return make_value(json::string(result)); };
  if (name == "string") return as_value(*text);
  if (name == "trim" || name == "strip") return as_value(stripped(*text, Side::kBoth));
  if (name == "lstrip") return as_value(stripped(*text, Side::kLeft));
  if (name == "rstrip") return as_value(stripped(*text, Side::kRight));
  if (name == "startswith" || name == "endswith") {
    auto what = text_in(given[1]);
    if (!what) return wrong(line, fmt::format("{} with {}", name, kind_of(given[1])));
    return make_value(name == "startswith" ? text->starts_with(*what) : text->ends_with(*what));
  }
  if (name == "replace") {
    auto what = text_in(given[1]), with = text_in(given[2]);
    if (!what || !with) return wrong(line, "replace: expected two texts");
    CHORUS_TRY(
        spend((text->size() + 1) / std::max<std::size_t>(what->size(), 1) * with->size(), line));
    return as_value(replaced(*text, *what, *with));
  }
  if (name == "split") {
    auto separator = text_in(given[1]);
    if (!separator || separator->empty())
      return wrong(line, "split: expected a text that is not empty");
    json::array parts;
    CHORUS_TRY(spend(16 * (text->size() / separator->size()), line));
    for (std::string_view rest = *text;;) {
      std::size_t found = rest.find(*separator);
      parts.emplace_back(rest.substr(0, found));
      if (found == std::string_view::npos) return make_value(std::move(parts));
      rest.remove_prefix(found + separator->size());
    }
  }
  if (auto changed = in_case(*text, name)) return as_value(*changed);
  return at_line(line, ErrorCode::kUnsupported,
                 name + " of letters other than ASCII's is not done here");
}

}  // namespace chorus::jinja
