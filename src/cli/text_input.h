// Text as the commands take it: an argument, a file, standard input or lines of it. All of it
// becomes UTF-8 here, or fails with the byte that is none and what to do. Single-threaded, but for
// text_of().
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "core/text_encoding.h"

namespace chorus::cli {

// --encoding and --replace-invalid. `where` says which texts they are about.
void add_text_options(CLI::App& command, TextEncoding& encoding, const std::string& where);

// The text that `bytes` are. Throws CommandFailed, with `name` in front.
std::string text_of(std::string bytes, const std::string& name, const TextEncoding& encoding);

// The text of a file, of a pipe too; "-" is standard input. Throws CommandFailed.
std::string read_text(const std::string& path, const TextEncoding& encoding);

// `argument` itself, or, if it is "-", the text of standard input. Throws CommandFailed.
std::string argument_or_input(const std::string& argument, const std::string& name,
                              const TextEncoding& encoding);

// Whether somebody has put a file or the end of a pipe there: not a terminal, nor /dev/null.
bool is_input_piped();

}  // namespace chorus::cli
