// The fields of sampling_fields.h as options: --top-k, --temperature, ... Their names, ranges,
// defaults and help are that list's. Single-threaded.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <optional>

#include "chorus/request.h"

namespace chorus::cli {

// What is given sets fields of `request`, and `seed`; both must outlive the parsing.
void add_sampling_options(CLI::App& command, Request& request, std::optional<std::uint64_t>& seed);

}  // namespace chorus::cli
