// What an option of the command line takes, for those that give it a value from elsewhere: the
// configuration file and the environment. Options are looked at, not changed. Single-threaded.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

namespace chorus::cli {

enum class OptionKind { kFlag, kWhole, kNumber, kSize, kIds, kText };

struct OptionType {
  OptionKind kind;
  bool many;  // takes several values
};

// By what --help calls the value: N, SECONDS, PATH ...
OptionType type_of(const CLI::Option& option);

// "true or false", "a whole number", ...
std::string expected_value(const OptionType& type);

// The options of a command that a file may set, with those of its groups.
std::vector<CLI::Option*> settable_options(CLI::App& command);

// The long name without its dashes, or the short one if there is no other.
std::string plain_name(const CLI::Option& option);

}  // namespace chorus::cli
