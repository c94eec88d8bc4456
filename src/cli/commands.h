// The commands of the program, one file each: every function adds its subcommand to `app`, with a
// callback that runs it. A callback ends the program's work by returning, or fails by throwing
// CommandFailed. Single-threaded.
#pragma once

#include <CLI/App.hpp>
#include <stdexcept>
#include <string>

#include "chorus/error.h"

namespace chorus::cli {

// Ends the command: the program prints "chorus: MESSAGE" to standard error and exits with 1.
struct CommandFailed : std::runtime_error {
  explicit CommandFailed(const std::string& message) : std::runtime_error(message) {}
  explicit CommandFailed(const Error& error) : std::runtime_error(error.message) {}
};

// The value of a result, or CommandFailed with its error.
template <class T>
T value_or_fail(Result<T>&& result) {
  if (!result) throw CommandFailed(result.assume_error());
  if constexpr (!std::is_void_v<T>) return std::move(result.assume_value());
}

void add_generate(CLI::App& app);
void add_score(CLI::App& app);
void add_tokenize(CLI::App& app);  // tokenize and detokenize
void add_convert(CLI::App& app);
void add_inspect(CLI::App& app);
void add_serve(CLI::App& app);
void add_bench(CLI::App& app);
void add_completion(CLI::App& app);

}  // namespace chorus::cli
