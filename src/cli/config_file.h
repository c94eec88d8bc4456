// The program's --config: options of the commands in a TOML file, in a section named as the command.
//
//   [serve]
//   model = ["gpt2", "mine=folder/"]
//   port = 4444
//   max-body = "2MiB"
//   log-json = true
//
// A key is an option's long name. Whatever the file holds that is no such thing, in any section, is
// an error that names the file, the line and the key, and nothing of the file is ignored. It is
// applied while the command line is parsed, and gives way to that. Single-threaded.
#pragma once

#include <CLI/App.hpp>

namespace chorus::cli {

// Gives `app`, which must have its commands by the time that it parses, the option --config.
// Errors: CLI::FileError from app.parse().
void add_config_option(CLI::App& app);

}  // namespace chorus::cli
