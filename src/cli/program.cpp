#include "cli/program.h"

#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/config_file.h"
#include "cli/environment.h"
#include "cli/shortened_file.h"
#include "core/memory.h"
#include "server/log.h"

namespace chorus::cli {
namespace {

// The first word that is no option, nor the value of the program's own.
bool is_serve(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    std::string_view word = argv[i];
    if (word == "--config") ++i;
    if (!word.starts_with('-')) return word == "serve";
  }
  return false;
}

// SIGHUP never ends a server, not even one whose options are still to be read: it waits until somebody
// looks for it (command_serve.cpp).
void hold_hangups() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

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

// Whether `chorus serve` was asked for a log in JSON, as far as that is known when something is wrong:
// by the options that were read, or else by the word.
bool logs_json(const CLI::App& app, const std::vector<std::string>& words) {
  auto has = [&words](const char* word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  if (!has("serve")) return false;
  const CLI::Option* option = app.get_subcommand("serve")->get_option("--log-json");
  return has("--log-json") || (option->count() > 0 && option->as<bool>());
}

class Failure {
 public:
  Failure(const CLI::App& app, int argc, char** argv)
      : app_(app), words_(argv + std::min(argc, 1), argv + argc) {}

  int called_wrongly(const CLI::ParseError& error) const {
    bool is_of_file = dynamic_cast<const CLI::FileError*>(&error) != nullptr;
    say(describe(app_, error), is_of_file ? "" : "Run with --help for more information.\n");
    return 2;
  }

  int failed(const std::string& message) const {
    say(message, "");
    return 1;
  }

 private:
  void say(const std::string& message, const char* advice) const {
    if (logs_json(app_, words_)) {
      fmt::print(stderr, "{}", server::json_log_lines(server::LogLevel::kError, message));
    } else {
      std::istringstream lines(message);
      for (std::string line; std::getline(lines, line);) fmt::print(stderr, "chorus: {}\n", line);
      fmt::print(stderr, "{}", advice);
    }
  }

  const CLI::App& app_;
  std::vector<std::string> words_;
};

// What is wrong with the environment, unless the command reads none of it.
void check_environment(const CLI::App& app, const EnvironmentCheck& environment) {
  std::vector<std::string> messages = environment.unknown;
  if (app.got_subcommand("serve")) {
    messages.insert(messages.end(), environment.wrong.begin(), environment.wrong.end());
  }
  if (!messages.empty()) throw CLI::ValidationError(fmt::format("{}", fmt::join(messages, "\n")));
}

}  // namespace

int run_program(const std::string& version, int argc, char** argv) {
  tell_of_shortened_files();
  if (is_serve(argc, argv)) hold_hangups();
  CLI::App app{"Chorus: GPT-2 text generation for many readers at once", "chorus"};
  app.set_version_flag("--version", "chorus " + version);
  app.require_subcommand(1);
  add_config_option(app);
  add_generate(app);
  add_score(app);
  add_tokenize(app);
  add_convert(app);
  add_inspect(app);
  add_serve(app);
  add_bench(app);
  add_completion(app);

  EnvironmentCheck environment = read_environment(app);
  app.parse_complete_callback([&] { check_environment(app, environment); });

  Failure failure(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    return failure.called_wrongly(error);
  } catch (const std::bad_alloc&) {
    return failure.failed("not enough memory: " + describe_memory());
  } catch (const std::exception& error) {  // CommandFailed, most of all
    return failure.failed(error.what());
  }
  return 0;
}

}  // namespace chorus::cli
