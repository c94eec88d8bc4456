// `chorus completion`: scripts that make a shell complete the other commands and their options.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/completion_scripts.h"
#include "cli/output.h"

namespace chorus::cli {

void add_completion(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "completion", "Write what makes a shell complete commands and options: bash, zsh or fish");
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "\nExamples:\n"
      "  . <(chorus completion bash)\n"
      "  chorus completion zsh > ~/.zfunc/_chorus\n"
      "  chorus completion fish > ~/.config/fish/completions/chorus.fish");
  command->callback([&app, shell] {
    write_output(*shell == "bash"  ? bash_completion(app)
                 : *shell == "zsh" ? zsh_completion(app)
                                   : fish_completion(app));
  });
}

}  // namespace chorus::cli
