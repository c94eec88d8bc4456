// Checks of what is given for an option, for CLI::Option::transform(): each says what it expected
// and what it found. They are not the ranges that depend on a model, which are the engine's. Pure.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "chorus/number_format.h"

namespace chorus::cli {

// A decimal whole number from `low` to `high`.
CLI::Validator whole_number(std::int64_t low,
                            std::int64_t high = std::numeric_limits<std::int32_t>::max());

// A finite number from `low` to `high` that fits a float; `expected` says so in words.
CLI::Validator number_between(double low, double high, const std::string& expected);

// The name of one of `formats`.
CLI::Validator number_format(std::span<const NumberFormat> formats);

// The name of an encoding that texts can be converted from.
CLI::Validator text_encoding();

// Anything but an empty string, which is what an unset variable of a shell gives. `what` names what
// is expected, for example "a path".
CLI::Validator not_empty(const char* what);

}  // namespace chorus::cli
