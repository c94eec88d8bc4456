// The variables CHORUS_... of the environment: which are known, which are right, and which are not
// ours. CLI11 applies what is right; nothing that begins so is ignored without a word.
//
// Reads the environment, and so must not run while another thread changes it. Single-threaded.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

namespace chorus::cli {

// What read_environment() found, a message for each.
struct EnvironmentCheck {
  std::vector<std::string> unknown;  // no command reads such a variable
  std::vector<std::string> wrong;    // values that are none of the option
};

// Looks at every variable whose name begins with CHORUS_, whatever its letters' case. Options whose
// variables are wrong or links (below) lose their names for the environment, so that CLI11 does not
// read them. To be called before app.parse(), when all commands are there.
EnvironmentCheck read_environment(CLI::App& app);

// What Kubernetes sets in every container beside a Service that is named chorus or chorus-SOMETHING,
// such as CHORUS_PORT=tcp://10.0.0.1:8000: NAME=VALUE of each. They are no options of ours.
std::vector<std::string> service_links();

// "CHORUS_MAX_BODY" for "--max-body".
std::string environment_name(const std::string& option);

}  // namespace chorus::cli
