// The program `chorus`: one subcommand for each command_*.cpp of this folder. Single-threaded.
#pragma once

#include <string>

namespace chorus::cli {

// Runs the command that `argv` names and gives the program's exit code: 0; 1 if the command failed;
// 2 if it was called wrongly.
int run_program(const std::string& version, int argc, char** argv);

}  // namespace chorus::cli
