#include "cli/config_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <istream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/nearest_name.h"
#include "cli/option_checks.h"
#include "cli/option_values.h"
#include "core/printable.h"
#include "core/text_encoding.h"

namespace chorus::cli {
namespace {

constexpr std::size_t kMostBytes = 1024 * 1024;
// Each dot of a key is a table in a table, and toml++ frees them one inside the other: a key of 30,000
// would overflow the stack.
constexpr std::ptrdiff_t kMostDots = 4096;
constexpr std::size_t kMostErrors = 20;

// Something that is wrong with the file, and where.
struct Mistake {
  std::size_t line;  // 0: the file as a whole
  std::string message;
};

[[noreturn]] void fail(const std::string& path, std::vector<Mistake> mistakes) {
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [](const Mistake& a, const Mistake& b) { return a.line < b.line; });
  std::size_t count = mistakes.size();
  mistakes.resize(std::min(count, kMostErrors));
  std::vector<std::string> lines;
  for (const Mistake& one : mistakes) {
    std::string place = one.line == 0 ? path : fmt::format("{}:{}", path, one.line);
    lines.push_back(fmt::format("{}: {}", place, one.message));
  }
  if (count > kMostErrors) lines.push_back(fmt::format("and {} more", count - kMostErrors));
  throw CLI::FileError(fmt::format("{}", fmt::join(lines, "\n")));
}

std::string read_text(std::istream& input, const std::string& path) {
  std::string text(kMostBytes + 1, '\0');
  input.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (input.bad()) fail(path, {{0, "it cannot be read"}});
  text.resize(static_cast<std::size_t>(input.gcount()));
  if (text.size() > kMostBytes) {
    fail(path, {{0, fmt::format("expected at most {} bytes of TOML, found more", kMostBytes)}});
  }
  auto dots = std::count(text.begin(), text.end(), '.');
  if (dots > kMostDots) {
    fail(path, {{0, fmt::format("expected at most {} dots in it, found {}", kMostDots, dots)}});
  }
  std::string_view mark = encoding_of_mark(text);
  if (!mark.empty() && mark != "utf-8") {
    fail(path, {{1, fmt::format("expected UTF-8, found {}: save it as UTF-8", mark)}});
  }
  if (!mark.empty()) text.erase(0, 3);
  return text;
}

toml::table parse(const std::string& text, const std::string& path) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    std::string message(error.description());
    fail(path, {{error.source().begin.line,
                 fmt::format("no TOML: {} (column {})", message, error.source().begin.column)}});
  }
}

std::string describe(const toml::node& value) {
  if (const auto* text = value.as_string()) return "the text " + in_quotes(text->get());
  if (const auto* number = value.as_integer()) return fmt::format("{}", number->get());
  if (const auto* number = value.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* flag = value.as_boolean()) return flag->get() ? "true" : "false";
  if (value.is_array()) return "a list";
  return value.is_table() ? "a section" : "a date or time";
}

// The value as the command line would have it; empty if it is of another kind.
std::string option_text(const toml::node& value, OptionKind kind) {
  switch (kind) {
    case OptionKind::kFlag:
      if (const auto* flag = value.as_boolean()) return flag->get() ? "true" : "false";
      return {};
    case OptionKind::kNumber:
      if (const auto* number = value.as_floating_point()) return fmt::format("{}", number->get());
      break;
    case OptionKind::kText:
      if (const auto* text = value.as_string()) return text->get();
      return {};
    case OptionKind::kSize:
    case OptionKind::kIds:
      if (const auto* text = value.as_string()) return text->get();
      break;
    case OptionKind::kWhole:
      break;
  }
  if (const auto* number = value.as_integer()) return fmt::format("{}", number->get());
  return {};
}

class Applier {
 public:
  explicit Applier(CLI::App& app) {
    auto is_command = [](CLI::App* part) { return !part->get_name().empty(); };
    for (CLI::App* command : app.get_subcommands(is_command)) {
      commands_.push_back({command, settable_options(*command)});
    }
  }

  std::vector<Mistake> apply(const toml::table& file) {
    for (auto&& [key, value] : file) top(key, value);
    return std::move(mistakes_);
  }

 private:
  struct Command {
    CLI::App* app;
    std::vector<CLI::Option*> options;
  };

  template <class... Arguments>
  void wrong(const toml::key& key, fmt::format_string<Arguments...> format,
             Arguments&&... arguments) {
    mistakes_.push_back(
        {key.source().begin.line, fmt::format(format, std::forward<Arguments>(arguments)...)});
  }

  static CLI::Option* find(const Command& command, std::string_view name) {
    for (CLI::Option* option : command.options) {
      if (plain_name(*option) == name) return option;
    }
    return nullptr;
  }

  // The sections in which a key would be known.
  std::vector<std::string> homes(std::string_view name) const {
    std::vector<std::string> result;
    for (const Command& command : commands_) {
      if (find(command, name) != nullptr) result.push_back("[" + command.app->get_name() + "]");
    }
    return result;
  }

  void top(const toml::key& key, const toml::node& value) {
    std::string name(key.str());
    auto found = std::find_if(commands_.begin(), commands_.end(), [&](const Command& command) {
      return command.app->get_name() == name;
    });
    const toml::table* section = value.as_table();
    if (found != commands_.end() && section != nullptr) {
      for (auto&& [option, its_value] : *section) set(*found, option, its_value);
    } else if (found != commands_.end()) {
      wrong(key, "{}: expected a section, [{}], found {}", name, name, describe(value));
    } else if (section != nullptr || value.is_array_of_tables()) {
      wrong(key, "[{}]: no such section{}", printable(name), meant(name, command_names(), "["));
    } else {
      wrong(key, "{}: it stands in no section{}", printable(name), advice(name));
    }
  }

  // Where a key that stands in no section belongs, or which one was probably meant.
  std::string advice(std::string_view name) const {
    std::vector<std::string> sections = homes(name);
    if (!sections.empty()) return fmt::format("; write {} above it", fmt::join(sections, " or "));
    std::vector<std::string> known;
    for (const Command& command : commands_) {
      for (const CLI::Option* option : command.options) known.push_back(plain_name(*option));
    }
    std::string nearest = nearest_name(name, known);
    if (nearest.empty()) return ", and no command has such an option";
    return fmt::format(", and no command has such an option; did you mean {}, with {} above it?",
                       nearest, fmt::join(homes(nearest), " or "));
  }

  std::vector<std::string> command_names() const {
    std::vector<std::string> names;
    for (const Command& command : commands_) names.push_back(command.app->get_name());
    return names;
  }

  static std::string meant(std::string_view name, const std::vector<std::string>& known,
                           std::string_view open) {
    std::string nearest = nearest_name(name, known);
    if (nearest.empty() && open == "[") {
      return fmt::format("; there are [{}]", fmt::join(known, "], ["));
    }
    if (nearest.empty()) return {};
    return fmt::format("; did you mean {}{}{}?", open, nearest, open == "[" ? "]" : "");
  }

  void unknown(const Command& command, const toml::key& key) {
    std::string name(key.str());
    std::vector<std::string> known;
    for (const CLI::Option* option : command.options) {
      known.push_back(plain_name(*option));
      for (const std::string& letter : option->get_snames()) {
        if (letter == name) {
          return wrong(key, "{}: write {}, the option's long name", name, known.back());
        }
      }
    }
    std::string hint = meant(name, known, "");
    std::vector<std::string> elsewhere = homes(name);
    if (!elsewhere.empty()) {
      hint = fmt::format("; it belongs into {}", fmt::join(elsewhere, " or "));
    } else if (hint.empty()) {
      hint = fmt::format("; chorus {} --help lists them", command.app->get_name());
    }
    wrong(key, "{}: no such option of {}{}", printable(name), command.app->get_name(), hint);
  }

  void set(const Command& command, const toml::key& key, const toml::node& value) {
    CLI::Option* option = find(command, key.str());
    if (value.is_table()) {
      return wrong(key, "[{}.{}]: sections have no sections", command.app->get_name(),
                   printable(key.str()));
    }
    if (option == nullptr) return unknown(command, key);
    OptionType type = type_of(*option);
    std::vector<std::string> texts;
    if (const toml::array* list = value.as_array(); list != nullptr && type.many) {
      if (list->empty()) {
        return wrong(key, "{}: expected at least one value, found an empty list", key.str());
      }
      for (const toml::node& one : *list) {
        if (!add_text(key, one, type, texts)) return;
      }
    } else if (!add_text(key, value, type, texts)) {
      return;
    }
    // What takes several in one text, as --ids 1,2,3 does.
    if (type.kind == OptionKind::kIds) texts = {fmt::format("{}", fmt::join(texts, ","))};
    apply(*option, key, type, std::move(texts));
  }

  bool add_text(const toml::key& key, const toml::node& value, const OptionType& type,
                std::vector<std::string>& texts) {
    std::string text = option_text(value, type.kind);
    if (!text.empty()) {
      texts.push_back(std::move(text));
      return true;
    }
    const auto* quoted = value.as_string();
    std::string hint;
    if (quoted != nullptr && quoted->get().empty()) hint = "; leave the line out for the default";
    if (quoted != nullptr && !quoted->get().empty()) hint = "; write it without quotes";
    wrong(key, "{}: expected {}, found {}{}", key.str(), expected_value(type),
          quoted != nullptr && quoted->get().empty() ? "an empty text" : describe(value), hint);
    return false;
  }

  // The command line's own checks look at the value, also where the command line comes before it.
  void apply(CLI::Option& option, const toml::key& key, const OptionType& type,
             std::vector<std::string> texts) {
    std::string message;
    if (!option.empty()) {
      message = checked(option, texts);
    } else if (type.kind == OptionKind::kFlag) {
      option.add_result(option.get_flag_value(plain_name(option), texts.front()));
    } else {
      message = given(option, std::move(texts));
    }
    if (!message.empty()) wrong(key, "{}: {}", key.str(), message);
  }

  // What is wrong with the values; they are not kept.
  static std::string checked(CLI::Option& option, const std::vector<std::string>& texts) {
    try {
      for (int i = 0;; ++i) {
        const CLI::Validator* validator = option.get_validator(i);
        for (std::string text : texts) {
          if (std::string message = (*validator)(text); !message.empty()) return message;
        }
      }
    } catch (const CLI::OptionNotFound&) {  // the end of the list
      return {};
    }
  }

  // What is wrong with the values; they are the option's if nothing is.
  static std::string given(CLI::Option& option, std::vector<std::string> texts) {
    try {
      option.add_result(std::move(texts));
      option.run_callback();
      return {};
    } catch (const std::exception& error) {  // CLI::ParseError, or a command's own
      option.clear();
      std::string message = error.what(), name = option.get_name() + ": ";
      if (message.starts_with(name)) message.erase(0, name.size());
      return message;
    }
  }

  std::vector<Command> commands_;
  std::vector<Mistake> mistakes_;
};

// CLI11 asks it for items to apply. It applies them itself, where it knows their lines.
class ConfigFile : public CLI::ConfigTOML {
 public:
  explicit ConfigFile(CLI::App& app) : app_(app) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::string path = app_.get_config_ptr()->as<std::string>();
    toml::table file = parse(read_text(input, path), path);
    std::vector<Mistake> mistakes = Applier(app_).apply(file);
    if (!mistakes.empty()) fail(path, std::move(mistakes));
    return {};
  }

 private:
  CLI::App& app_;
};

}  // namespace

void add_config_option(CLI::App& app) {
  app.set_config("--config", "",
                 "Read options from this TOML file, in a section named as the command")
      ->transform(not_empty("a path"))
      ->type_name("PATH");
  app.config_formatter(std::make_shared<ConfigFile>(app));
}

}  // namespace chorus::cli
