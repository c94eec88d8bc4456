#include "cli/option_values.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <initializer_list>
#include <string_view>

namespace chorus::cli {
namespace {

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// "PATH" of "PATH:FILE" and of "TYPE:{f32,bf16}".
std::string value_name(const CLI::Option& option) {
  std::string name = option.get_type_name();
  name.resize(std::min(name.size(), name.find_first_of(":{ ")));
  return name;
}

OptionKind kind_of(std::string_view name) {
  if (is_one_of(name, {"N", "K", "R", "PORT", "TOKENS"})) return OptionKind::kWhole;
  if (is_one_of(name, {"SECONDS", "T", "P", "X"})) return OptionKind::kNumber;
  if (is_one_of(name, {"IDS", "N,...", "SEED"})) return OptionKind::kIds;
  return name == "SIZE" ? OptionKind::kSize : OptionKind::kText;
}

void add_options(CLI::App& app, std::vector<CLI::Option*>& options) {
  for (CLI::Option* option : app.get_options({})) {
    bool is_known = std::find(options.begin(), options.end(), option) != options.end();
    bool has_name = !option->get_lnames().empty() || !option->get_snames().empty();
    if (!is_known && has_name && option->get_configurable()) options.push_back(option);
  }
  auto is_group = [](CLI::App* part) { return part->get_name().empty(); };
  for (CLI::App* group : app.get_subcommands(is_group)) add_options(*group, options);
}

}  // namespace

OptionType type_of(const CLI::Option& option) {
  if (option.get_expected_max() == 0) return {OptionKind::kFlag, false};
  std::string name = value_name(option);
  bool many = option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll ||
              option.get_items_expected_max() > 1 || is_one_of(name, {"IDS", "N,...", "TYPE,..."});
  return {kind_of(name), many};
}

std::string expected_value(const OptionType& type) {
  switch (type.kind) {
    case OptionKind::kFlag:
      return "true or false";
    case OptionKind::kWhole:
      return "a whole number";
    case OptionKind::kNumber:
      return "a number";
    case OptionKind::kSize:
      return "a size: a number of bytes, or a text such as \"2GiB\"";
    case OptionKind::kIds:
      return "a whole number, or a text of it";
    case OptionKind::kText:
      break;
  }
  return type.many ? "a text, or a list of texts" : "a text";
}

std::vector<CLI::Option*> settable_options(CLI::App& command) {
  std::vector<CLI::Option*> options;
  add_options(command, options);
  return options;
}

std::string plain_name(const CLI::Option& option) {
  return option.get_lnames().empty() ? option.get_snames().front() : option.get_lnames().front();
}

}  // namespace chorus::cli
