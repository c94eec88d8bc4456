#include "cli/environment.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <exception>
#include <initializer_list>
#include <string_view>

#include "cli/nearest_name.h"
#include "cli/option_values.h"
#include "core/printable.h"

namespace chorus::cli {
namespace {

constexpr std::string_view kPrefix = "CHORUS_";

// What is read elsewhere: by the hub, by the kernels, by the scripts that run the tests.
const std::vector<std::string> kOthers = {"CHORUS_CACHE", "CHORUS_ISA", "CHORUS_AMX",
                                          "CHORUS_REQUIRE_ALL"};

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool has_prefix(std::string_view name) {
  return name.size() >= kPrefix.size() &&
         std::equal(kPrefix.begin(), kPrefix.end(), name.begin(), [](char expected, char found) {
           return expected == upper(found) || (expected == '_' && found == '-');
         });
}

struct Variable {
  std::string name, value;
};

// Those that begin with the prefix, by name.
std::vector<Variable> variables() {
  std::vector<Variable> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    std::string_view text(*entry);
    std::size_t equals = text.find('=');
    if (!has_prefix(text) || equals == std::string_view::npos) continue;
    result.push_back({std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))});
  }
  std::sort(result.begin(), result.end(),
            [](const Variable& a, const Variable& b) { return a.name < b.name; });
  return result;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// "_PORT_8000_TCP", also with "_ADDR", "_PORT" or "_PROTO" behind it.
bool is_port_of_link(std::string_view name) {
  constexpr std::string_view kPort = "_PORT_";
  std::size_t digits = name.rfind(kPort);
  if (digits == std::string_view::npos) return false;
  std::string_view rest = name.substr(digits + kPort.size());
  std::size_t end = rest.find_first_not_of("0123456789");
  if (end == 0 || end == std::string_view::npos) return false;
  rest.remove_prefix(end);
  std::string_view protocol = rest.substr(0, rest.find('_', 1));
  rest.remove_prefix(protocol.size());
  return is_one_of(protocol, {"_TCP", "_UDP", "_SCTP"}) &&
         is_one_of(rest, {"", "_ADDR", "_PORT", "_PROTO"});
}

// As Kubernetes (and before it Docker's links) names and fills them.
bool is_service_link(std::string_view name, std::string_view value) {
  constexpr std::string_view kServicePort = "_SERVICE_PORT";
  std::size_t port = name.find(kServicePort);
  std::string_view behind =
      port == std::string_view::npos ? "x" : name.substr(port + kServicePort.size());
  bool is_url = is_one_of(value.substr(0, value.find("://")), {"tcp", "udp", "sctp"});
  return name.ends_with("_SERVICE_HOST") || behind.empty() || behind.starts_with('_') ||
         is_port_of_link(name) || (name.ends_with("_PORT") && is_url);
}

std::vector<CLI::Option*> options_with_names(CLI::App& app) {
  std::vector<CLI::Option*> result;
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    for (CLI::Option* option : settable_options(*command)) {
      if (!option->get_envname().empty()) result.push_back(option);
    }
  }
  return result;
}

// What is wrong with the value; empty if nothing is. The option is as before, but for its variable,
// which has the value until another place gives one.
std::string mistake(CLI::Option& option, const std::string& value) {
  OptionType type = type_of(option);
  if (value.empty()) return "expected a value, found an empty text: unset it for the default";
  if (type.kind == OptionKind::kFlag) {
    bool is_right = value == "true" || value == "false" || value == "1" || value == "0";
    return is_right ? "" : "expected true or false, found " + in_quotes(value);
  }
  std::string message;
  try {
    option.add_result(value);
    option.run_callback();
  } catch (const std::exception& error) {  // CLI::ParseError, or a command's own
    message = error.what();
    std::string name = option.get_name() + ": ";
    if (message.starts_with(name)) message.erase(0, name.size());
  }
  option.clear();
  return message;
}

std::string unknown(const std::string& name, const std::vector<std::string>& known) {
  std::string nearest = nearest_name(name, known);
  return fmt::format("{}: no such variable; {}", printable(name),
                     nearest.empty() ? "chorus serve --help lists those that are read"
                                     : fmt::format("did you mean {}?", nearest));
}

}  // namespace

std::string environment_name(const std::string& option) {
  std::string name(kPrefix);
  for (char c : option.substr(2)) name += c == '-' ? '_' : upper(c);
  return name;
}

EnvironmentCheck read_environment(CLI::App& app) {
  EnvironmentCheck check;
  std::vector<CLI::Option*> options = options_with_names(app);
  std::vector<std::string> known = kOthers;
  for (const CLI::Option* option : options) known.push_back(option->get_envname());
  for (const Variable& one : variables()) {
    auto found = std::find(known.begin(), known.end(), one.name);
    bool is_link = is_service_link(one.name, one.value);
    if (found == known.end()) {
      if (!is_link) check.unknown.push_back(unknown(one.name, known));
      continue;
    }
    if (found - known.begin() < static_cast<std::ptrdiff_t>(kOthers.size())) continue;
    CLI::Option& option =
        *options[static_cast<std::size_t>(found - known.begin()) - kOthers.size()];
    std::string message = is_link ? "" : mistake(option, one.value);
    if (!message.empty()) check.wrong.push_back(fmt::format("{}: {}", one.name, message));
    if (is_link || !message.empty()) option.envname("");
  }
  return check;
}

std::vector<std::string> service_links() {
  std::vector<std::string> links;
  for (const Variable& one : variables()) {
    if (!is_service_link(one.name, one.value)) continue;
    links.push_back(fmt::format("{}={}", printable(one.name), printable(one.value)));
  }
  return links;
}

}  // namespace chorus::cli
