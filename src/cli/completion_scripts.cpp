#include "cli/completion_scripts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace chorus::cli {
namespace {

// What a shell is told of one option.
struct Option {
  std::vector<std::string> names;  // "-m", "--model"
  std::string help;
  std::string value;                 // what it takes, "PATH|NAME"; empty: nothing
  std::vector<std::string> choices;  // the words that it takes, if they are few
  bool takes_file = false;
};

struct Command {
  std::string name, help;
  std::vector<Option> options;
  std::vector<std::string> choices;  // of the argument
};

// "TYPE:{f32,bf16}" is how CLI11 writes a value that is one of these words.
std::vector<std::string> choices_in(std::string_view type) {
  std::size_t begin = type.find('{'), end = type.rfind('}');
  std::vector<std::string> choices;
  if (begin == std::string_view::npos || end == std::string_view::npos) return choices;
  std::string_view list = type.substr(begin + 1, end - begin - 1);
  while (!list.empty()) {
    std::size_t comma = std::min(list.find(','), list.size());
    choices.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return choices;
}

Option describe(const CLI::Option& option) {
  Option described;
  for (const std::string& name : option.get_snames()) described.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) described.names.push_back("--" + name);
  described.help = option.get_description();
  if (option.get_expected_max() == 0) return described;  // a flag
  std::string type = option.get_type_name();
  described.value = type.substr(0, type.find(':'));
  if (described.value.empty()) described.value = "VALUE";
  described.choices = choices_in(type);
  described.takes_file = type.find("PATH") != std::string::npos ||
                         type.find("FILE") != std::string::npos ||
                         type.find("DIR") != std::string::npos;
  return described;
}

// Commands have names; what CLI11 calls an option group is one that has none.
std::vector<const CLI::App*> parts_of(const CLI::App& app, bool named) {
  return app.get_subcommands(
      [named](const CLI::App* part) { return part->get_name().empty() != named; });
}

// Whether get_options() gives an option group's, too, depends on CLI11's version.
void add_options(const CLI::App& app, std::vector<const CLI::Option*>& options) {
  for (const CLI::Option* option : app.get_options()) {
    if (std::find(options.begin(), options.end(), option) == options.end()) {
      options.push_back(option);
    }
  }
  for (const CLI::App* group : parts_of(app, false)) add_options(*group, options);
}

Command describe(const CLI::App& app) {
  Command command{app.get_name(), app.get_description(), {}, {}};
  std::vector<const CLI::Option*> options;
  add_options(app, options);
  for (const CLI::Option* option : options) {
    if (option->get_positional()) {
      command.choices = choices_in(option->get_type_name());
    } else {
      command.options.push_back(describe(*option));
    }
  }
  return command;
}

std::vector<Command> commands_of(const CLI::App& app) {
  std::vector<Command> commands;
  for (const CLI::App* command : parts_of(app, true)) commands.push_back(describe(*command));
  return commands;
}

// `text` with a backslash in front of each of these characters.
std::string escape(std::string_view text, std::string_view characters) {
  std::string escaped;
  for (char c : text) {
    if (characters.find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// As one word of bash or zsh.
std::string quote(std::string_view text) {
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::vector<std::string> names_of(const std::vector<Command>& commands) {
  std::vector<std::string> names;
  for (const Command& command : commands) names.push_back(command.name);
  return names;
}

// What bash offers: those of these words that begin as what was typed.
std::string bash_offer(const std::vector<std::string>& words) {
  if (words.empty()) return ":";
  return fmt::format("COMPREPLY=($(compgen -W {} -- \"$current\"))",
                     quote(fmt::format("{}", fmt::join(words, " "))));
}

// Behind an option that takes a value, what it may be; else an option's name, or one of `words`.
std::string bash_command(const Command& command, const std::vector<std::string>& words) {
  std::string values;
  std::vector<std::string> names;
  for (const Option& option : command.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
    if (option.value.empty()) continue;
    values += fmt::format("        {}) {}; return ;;\n", fmt::join(option.names, "|"),
                          bash_offer(option.choices));
  }
  return fmt::format(R"(      case $previous in
{}      esac
      if [[ $current == -* ]]; then
        {}
      else
        {}
      fi
)",
                     values, bash_offer(names), bash_offer(words));
}

std::string zsh_option(const Option& option) {
  std::string names = option.names.size() == 1
                          ? option.names[0]
                          : fmt::format("{{{}}}", fmt::join(option.names, ","));
  std::string rest = fmt::format("[{}]", escape(option.help, "\\[]:"));
  if (!option.value.empty()) {
    rest += fmt::format(":{}:", escape(option.value, "\\:"));
    if (!option.choices.empty()) {
      rest += fmt::format("({})", fmt::join(option.choices, " "));
    } else if (option.takes_file) {
      rest += "_files";
    }
  }
  return names + quote(rest);
}

std::string zsh_arguments(const Command& command, const std::string& indent) {
  std::string text;
  for (const Option& option : command.options) {
    text += indent + zsh_option(option) + " \\\n";
  }
  return text;
}

std::string fish_option(const std::string& condition, const Option& option) {
  std::string line = fmt::format("complete -c chorus -n '{}'", condition);
  for (const std::string& name : option.names) {
    bool is_long = name.starts_with("--");
    line += fmt::format(" -{} {}", is_long ? "l" : "s", name.substr(is_long ? 2 : 1));
  }
  if (!option.value.empty()) line += option.takes_file ? " -r -F" : " -x";
  if (!option.choices.empty()) {
    line += fmt::format(" -a '{}'", fmt::join(option.choices, " "));
  }
  return line + fmt::format(" -d '{}'\n", escape(option.help, "\\'"));
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  std::vector<Command> commands = commands_of(app);
  std::string cases = "    '')\n" + bash_command(describe(app), names_of(commands)) + "      ;;\n";
  for (const Command& command : commands) {
    cases +=
        fmt::format("    {})\n{}      ;;\n", command.name, bash_command(command, command.choices));
  }
  return fmt::format(R"(# Completes chorus in bash. Written by `chorus completion bash`.
_chorus() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} command= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${{COMP_WORDS[i]}} in
      {0}) command=${{COMP_WORDS[i]}}; break ;;
    esac
  done
  case $command in
{1}  esac
}}
complete -o default -F _chorus chorus
)",
                     fmt::join(names_of(commands), "|"), cases);
}

std::string zsh_completion(const CLI::App& app) {
  std::string list, cases;
  for (const Command& command : commands_of(app)) {
    list += fmt::format("    {}\n", quote(command.name + ":" + escape(command.help, "\\:")));
    std::string argument = command.choices.empty()
                               ? "'*::argument:_files'"
                               : fmt::format("'1::argument:({})'", fmt::join(command.choices, " "));
    cases += fmt::format("    {})\n      _arguments -S \\\n{}        {}\n      ;;\n", command.name,
                         zsh_arguments(command, "        "), argument);
  }
  return fmt::format(R"(#compdef chorus
# Completes chorus in zsh. Written by `chorus completion zsh`.
_chorus() {{
  local curcontext=$curcontext context state line
  typeset -A opt_args
  local -a commands=(
{0}  )
  _arguments -C \
{1}    '1:command:->command' \
    '*::argument:->argument' && return
  if [[ $state == command ]]; then
    _describe -t commands command commands
    return
  fi
  case $words[1] in
{2}  esac
}}
if [[ $funcstack[1] == _chorus ]]; then
  _chorus "$@"
else
  compdef _chorus chorus
fi
)",
                     list, zsh_arguments(describe(app), "    "), cases);
}

std::string fish_completion(const CLI::App& app) {
  std::string text = "# Completes chorus in fish. Written by `chorus completion fish`.\n";
  for (const Option& option : describe(app).options) {
    text += fish_option("__fish_use_subcommand", option);
  }
  for (const Command& command : commands_of(app)) {
    text += fmt::format("complete -c chorus -n __fish_use_subcommand -f -a {} -d '{}'\n",
                        command.name, escape(command.help, "\\'"));
    std::string condition = "__fish_seen_subcommand_from " + command.name;
    if (!command.choices.empty()) {
      text += fmt::format("complete -c chorus -n '{}' -f -a '{}'\n", condition,
                          fmt::join(command.choices, " "));
    }
    for (const Option& option : command.options) text += fish_option(condition, option);
  }
  return text;
}

}  // namespace chorus::cli
