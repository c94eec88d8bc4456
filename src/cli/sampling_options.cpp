#include "cli/sampling_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <type_traits>
#include <vector>

#include "cli/commands.h"
#include "cli/option_checks.h"
#include "sampling/sampling_fields.h"

namespace chorus::cli {
namespace {

std::string option_name(const char* field) {
  std::string name = std::string("--") + field;
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

class OptionMaker {
 public:
  OptionMaker(CLI::App& command, std::optional<std::uint64_t>& seed)
      : command_(command), seed_(seed) {}

  template <class Number>
  void number(const sampling::NumberField<Number>& field, Number& value) {
    auto* option = command_.add_option(option_name(field.name), value,
                                       fmt::format("{} (default: {})", field.help, value));
    option->type_name(field.symbol);
    if constexpr (std::is_integral_v<Number>) {
      option->transform(whole_number(field.low, field.high));
    } else {
      option->transform(number_between(field.low, field.high, range_text(field)));
    }
  }

  template <class Value>
  void word(const sampling::WordField& field, Value& value) {
    command_
        .add_option_function<std::string>(
            option_name(field.name),
            [&value](const std::string& word) {
              if (auto set = sampling::set_word(word, value); !set) {
                throw CommandFailed(set.assume_error().message);
              }
            },
            fmt::format("{} (default: {})", field.help, field.default_text))
        ->check(CLI::IsMember(std::vector<std::string>(field.words.begin(), field.words.end())))
        ->type_name(field.symbol);
  }

  void flag(const sampling::Field& field, bool& value) {
    command_.add_flag(option_name(field.name), value, field.help);
  }
  void flag(const sampling::Field& field, std::optional<bool>& value) {
    command_.add_flag_callback(
        option_name(field.name), [&value] { value = true; }, field.help);
  }

  void seed(const sampling::Field& field, std::uint64_t&) {
    command_
        .add_option_function<std::string>(
            option_name(field.name),
            [&seed = seed_](const std::string& text) {
              seed = sampling::parse_seed(text);
              if (seed) return;
              throw CommandFailed("--seed: expected a whole number of 64 bits, found \"" + text +
                                  "\"");
            },
            fmt::format("{} (default: random, and printed)", field.help))
        ->type_name("SEED");
  }

 private:
  CLI::App& command_;
  std::optional<std::uint64_t>& seed_;
};

}  // namespace

void add_sampling_options(CLI::App& command, Request& request, std::optional<std::uint64_t>& seed) {
  sampling::visit_sampling_fields(request, OptionMaker(command, seed));
  command
      .add_flag_callback(
          "--eos", [&request] { request.ignore_eos = false; },
          "End at the model's end of text, with nanoGPT's loop too")
      ->excludes("--ignore-eos");
}

}  // namespace chorus::cli
