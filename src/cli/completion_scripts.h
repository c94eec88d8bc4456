// What a shell needs to complete the program's commands and options, written from CLI11's own
// description of them: an option that is added is completed, and nothing is listed twice.
// Single-threaded.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace chorus::cli {

// The scripts for the program `app` and its commands.
std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);
std::string fish_completion(const CLI::App& app);

}  // namespace chorus::cli
