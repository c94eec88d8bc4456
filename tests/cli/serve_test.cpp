// chorus serve as a user calls it: its options from every place, and what it refuses. The server
// itself is tested in tests/server/ and tests/clients/.

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/config_file.h"
#include "cli/serve_memory.h"
#include "cli/serve_options.h"
#include "core/memory.h"
#include "support/run.h"
#include "support/scratch_folder.h"

namespace chorus::cli {
namespace {

using test::run_chorus;
using test::RunResult;

// The options that a command line gives; a file may be named by --config.
ServeOptions parse(std::vector<std::string> arguments) {
  ServeOptions options;
  CLI::App app;
  add_serve_options(*app.add_subcommand("serve"), options);
  add_config_option(app);
  arguments.insert(arguments.begin(), "serve");
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  app.parse(reversed);
  return options;
}

TEST(Serve, ReadsACommandLine) {
  ServeOptions options = parse({"--model", "a=x.pt", "--model", "gpt2", "--port", "0", "--max-body",
                                "2MiB", "--idle-timeout", "0.5", "--cors-origin", "*", "--no-tcp",
                                "--unix-socket", "s", "--max-queue", "7"});
  ASSERT_EQ(options.models.size(), 2u);
  EXPECT_EQ(options.models[0].name, "a");
  EXPECT_EQ(options.models[0].path, "x.pt");
  EXPECT_EQ(options.models[1].name, "gpt2");
  EXPECT_EQ(options.server.port, 0);
  EXPECT_EQ(options.server.http.max_body, 2u << 20);
  EXPECT_EQ(options.server.http.idle_timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(options.server.http.cors_origins, std::vector<std::string>{"*"});
  EXPECT_FALSE(options.server.tcp);
  EXPECT_EQ(options.engine.max_queue, 7u);
}

TEST(Serve, TheCommandLineComesBeforeTheFileAndTheFileBeforeTheEnvironment) {
  test::ScratchFolder folder;
  std::string file = folder.write("chorus.toml",
                                  "[serve]\nport = 5000\nmax-queue = 9\nlog-json = true\n"
                                  "model = [\"a=x.pt\", \"b=y.pt\"]\n");
  ::setenv("CHORUS_MAX_QUEUE", "11", 1);
  ::setenv("CHORUS_HOST", "0.0.0.0", 1);
  ServeOptions options = parse({"--config", file, "--port", "6000"});
  ::unsetenv("CHORUS_MAX_QUEUE");
  ::unsetenv("CHORUS_HOST");
  EXPECT_EQ(options.server.port, 6000);
  EXPECT_EQ(options.engine.max_queue, 9u);
  EXPECT_EQ(options.server.host, "0.0.0.0");
  EXPECT_TRUE(options.server.log_json);
  ASSERT_EQ(options.models.size(), 2u);
  EXPECT_EQ(options.models[1].path, "y.pt");
}

TEST(Serve, NamesAModelAfterItsFile) {
  test::ScratchFolder folder;
  EXPECT_EQ(parse_named_model("gpt2").name, "gpt2");
  EXPECT_EQ(parse_named_model(folder.write("model_1.pt", "")).name, "model_1");
  EXPECT_EQ(parse_named_model(folder.path() + "/").name,
            folder.path().substr(folder.path().rfind('/') + 1));
  EXPECT_EQ(parse_named_model("n=hf:a/b").path, "hf:a/b");
  EXPECT_EQ(parse_named_model("storyteller").path, "") << "the one in the program";
  EXPECT_EQ(parse_named_model("n=storyteller").name, "n");
  EXPECT_EQ(parse_named_model("n=storyteller").path, "");
  EXPECT_EQ(parse_named_model(folder.write("a=b.pt", "")).name, "a=b");
}

TEST(Serve, RefusesByName) {
  const std::vector<std::vector<std::string>> wrong = {
      {"--port", "65536"},     {"--port", "x"},         {"--max-body", "x"},
      {"--idle-timeout", "0"}, {"--log-level", "loud"}, {"--tls-cert", "c.pem"},
      {"--io-threads", "0"},   {"--unix-socket", ""}};
  for (std::vector<std::string> arguments : wrong) {
    std::string option = arguments[0];
    arguments.insert(arguments.begin(), "serve");
    RunResult result = run_chorus(arguments);
    EXPECT_EQ(result.exit_code, 2) << option;
    EXPECT_NE(result.err.find(option), std::string::npos) << result.err;
  }
}

TEST(Serve, WhatCannotBeUsedIsAnErrorAtOnce) {
  test::ScratchFolder folder;
  struct Case {
    std::vector<std::string> arguments;
    const char* expected;
  };
  const Case cases[] = {
      {{"--api-key-file", folder.file("none")}, "No such file"},
      {{"--api-key-file", folder.write("empty", "# nothing\n")}, "expected a key a line"},
      {{"--static-dir", folder.file("none")}, "No such file"},
      {{"--host", "no.such.host.invalid"}, "host: expected an address"},
      {{"--host", "192.0.2.1"}, "192.0.2.1:"},
      {{"--tls-cert", folder.write("c.pem", "x"), "--tls-key", folder.write("k.pem", "x")},
       "expected a PEM certificate"},
      {{"--port", "0", "--model", folder.file("none.pt")}, "no such file or folder"}};
  for (const Case& one : cases) {
    std::vector<std::string> arguments = one.arguments;
    arguments.insert(arguments.begin(), "serve");
    RunResult result = run_chorus(arguments);
    EXPECT_EQ(result.exit_code, 1) << one.expected;
    EXPECT_NE(result.err.find(one.expected), std::string::npos) << result.err;
  }
}

// Each of the two could be.
TEST(ServeMemory, BoundsThatCannotBeTogetherAreRefusedByName) {
  ServeOptions options;
  options.models = {};
  options.engine.kv_memory = most_memory() / 5 * 3;
  options.server.http.max_buffer_total = most_memory() / 5 * 3;
  EXPECT_TRUE(plan_memory(options)) << "a total that nobody gave becomes what there is room for";
  EXPECT_LE(options.server.http.max_buffer_total, most_memory() / 5);
  options.server.http.max_buffer_total = most_memory() / 5 * 3;
  options.is_buffer_total_given = true;
  auto refused = plan_memory(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.assume_error().code, ErrorCode::kOutOfMemory);
  for (const char* part : {"--kv-memory", "--max-buffer-total", "together"}) {
    EXPECT_NE(refused.assume_error().message.find(part), std::string::npos)
        << refused.assume_error().message;
  }
}

TEST(ServeMemory, WhatWasNotGivenIsAPartOfWhatIsThere) {
  ServeOptions options;
  options.models = {};
  auto memory = plan_memory(options);
  ASSERT_TRUE(memory) << memory.assume_error().message;
  EXPECT_GT(options.engine.kv_memory, 0u);
  EXPECT_LE(options.engine.kv_memory, available_memory() / 2);
  EXPECT_LE(options.server.http.max_buffer_total, 512u << 20);
}

}  // namespace
}  // namespace chorus::cli
