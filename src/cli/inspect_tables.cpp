#include "cli/inspect_tables.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <set>

#include "checkpoint/gpt2/names.h"
#include "cli/output.h"
#include "core/error_text.h"
#include "core/printable.h"
#include "core/utf8.h"

namespace chorus::cli {
namespace {

namespace json = boost::json;
using checkpoint::ListedTensor;

// Its elements; a file that is no model may state any shape.
std::int64_t count_of(const ListedTensor& tensor) {
  if (std::ranges::find(tensor.shape, 0) != tensor.shape.end()) return 0;
  std::int64_t count = 1;
  for (std::int64_t size : tensor.shape) {
    if (__builtin_mul_overflow(count, size, &count)) return INT64_MAX;
  }
  return count;
}

std::int64_t sum_of(const std::vector<ListedTensor>& tensors) {
  std::int64_t sum = 0;
  for (const ListedTensor& tensor : tensors) {
    if (__builtin_add_overflow(sum, count_of(tensor), &sum)) return INT64_MAX;
  }
  return sum;
}

// What a tensor is a part of: "h.3", "wte", and for a name that is none of GPT-2's its beginning.
// Layers come after one another as numbers.
struct Part {
  std::int64_t layer;  // -1: no layer
  std::string name;
  auto operator<=>(const Part&) const = default;
};

Part part_of(const std::string& name) {
  std::optional<checkpoint::SplitName> split = checkpoint::split_name(name);
  std::string plain = split ? split->plain : name;
  if (auto parts = checkpoint::split_layer(plain)) {
    return {parts->layer, fmt::format("h.{}", parts->layer)};
  }
  return {-1, plain.substr(0, plain.find('.'))};
}

// A name out of a file, in a column of a table.
std::string shown(const std::string& name) { return printable(name); }

std::string list_lines(const char* title, const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 40;
  if (names.empty()) return "";
  std::string text = fmt::format("{} ({})\n", title, names.size());
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i) {
    text += fmt::format("  {}\n", shown(names[i]));
  }
  if (names.size() > kMost) text += fmt::format("  and {} more\n", names.size() - kMost);
  text += '\n';
  return text;
}

json::array strings_as_json(const std::vector<std::string>& strings) {
  json::array array;
  for (const std::string& string : strings) array.emplace_back(replace_ill_formed(string));
  return array;
}

}  // namespace

std::string tensor_table(const std::vector<ListedTensor>& tensors) {
  std::size_t name_width = 6, shape_width = 5;
  for (const ListedTensor& tensor : tensors) {
    name_width = std::max(name_width, shown(tensor.name).size());
    shape_width = std::max(shape_width, shape_text(tensor.shape).size());
  }
  auto row = [&](std::string_view name, std::string_view shape, std::string_view dtype) {
    return fmt::format("{:<{}}  {:<{}}  {}\n", name, name_width, shape, shape_width, dtype);
  };
  std::string text = row("tensor", "shape", "dtype");
  for (const ListedTensor& tensor : tensors) {
    text += row(shown(tensor.name), shape_text(tensor.shape), printable(tensor.type));
  }
  return text;
}

std::string layer_table(const std::vector<ListedTensor>& tensors) {
  std::map<Part, std::vector<ListedTensor>> parts;
  for (const ListedTensor& tensor : tensors) parts[part_of(tensor.name)].push_back(tensor);
  std::size_t width = 5;
  for (const auto& [part, list] : parts) width = std::max(width, shown(part.name).size());
  std::string text =
      fmt::format("{:<{}}  {:>7}  {:>15}\n", "layer", width, "tensors", "parameters");
  for (const auto& [part, list] : parts) {
    text += fmt::format("{:<{}}  {:>7}  {:>15}\n", shown(part.name), width, list.size(),
                        grouped(sum_of(list)));
  }
  return text;
}

std::vector<std::string> types_of(const std::vector<ListedTensor>& tensors) {
  std::set<std::string> names;
  for (const ListedTensor& tensor : tensors) names.insert(tensor.type);
  return {names.begin(), names.end()};
}

json::array tensors_as_json(const std::vector<ListedTensor>& tensors) {
  json::array array;
  for (const ListedTensor& tensor : tensors) {
    array.push_back({{"name", replace_ill_formed(tensor.name)},
                     {"shape", json::array(tensor.shape.begin(), tensor.shape.end())},
                     {"dtype", replace_ill_formed(tensor.type)}});
  }
  return array;
}

std::string grouped(std::int64_t number) {
  std::string digits = fmt::format("{}", number);
  std::string result;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) result += ',';
    result += digits[i];
  }
  return result;
}

void write_problem(const checkpoint::Problem& problem, bool as_json) {
  std::vector<std::string> types = types_of(problem.tensors);
  if (as_json) {
    json::object object = {{"path", replace_ill_formed(problem.path)},
                           {"format", problem.format},
                           {"problem", replace_ill_formed(problem.error.message)},
                           {"missing", strings_as_json(problem.missing)},
                           {"unexpected", strings_as_json(problem.unexpected)},
                           {"parameters", sum_of(problem.tensors)},
                           {"dtypes", strings_as_json(types)},
                           {"tensors", tensors_as_json(problem.tensors)}};
    write_output(json::serialize(object) + "\n");
    return;
  }
  constexpr const char* kLine = "{:<32} {}\n";
  std::string text =
      fmt::format("{}\n{}\n{}{}{}\n", tensor_table(problem.tensors), layer_table(problem.tensors),
                  list_lines("unexpected", problem.unexpected),
                  list_lines("missing", problem.missing), problem.path);
  text += fmt::format(kLine, "format", problem.format);
  text += fmt::format(kLine, "parameters", grouped(sum_of(problem.tensors)));
  text += fmt::format(kLine, "dtypes", fmt::join(types, ", "));
  text += fmt::format(kLine, "cannot be opened", problem.error.message);
  write_output(text);
}

}  // namespace chorus::cli
