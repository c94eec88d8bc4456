#include "cli/program.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace chorus::cli {
namespace {

// CLI11 does not say which word it took for a command.
std::string describe(const CLI::App& app, const CLI::ParseError& error) {
  if (!app.get_subcommands().empty()) return error.what();
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    known.push_back(command->get_name());
  }
  std::vector<std::string> unknown = app.remaining();
  return fmt::format("expected a command ({}), found {}", fmt::join(known, ", "),
                     unknown.empty() ? "none" : "\"" + unknown.front() + "\"");
}

int called_wrongly(const CLI::App& app, const CLI::ParseError& error) {
  fmt::print(stderr, "chorus: {}\nRun with --help for more information.\n", describe(app, error));
  return 2;
}

int failed(const char* message) {
  fmt::print(stderr, "chorus: {}\n", message);
  return 1;
}

}  // namespace

int run_program(const std::string& version, int argc, char** argv) {
  CLI::App app{"Chorus: GPT-2 text generation for many readers at once", "chorus"};
  app.set_version_flag("--version", "chorus " + version);
  app.require_subcommand(1);
  app.set_config("--config", "",
                 "Read options from this TOML or INI file, in a section named as the command")
      ->type_name("PATH");
  add_generate(app);
  add_score(app);
  add_tokenize(app);
  add_convert(app);
  add_inspect(app);
  add_serve(app);
  add_bench(app);
  add_completion(app);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    return called_wrongly(app, error);
  } catch (const std::bad_alloc&) {
    return failed("not enough memory");
  } catch (const std::exception& error) {  // CommandFailed, most of all
    return failed(error.what());
  }
  return 0;
}

}  // namespace chorus::cli
