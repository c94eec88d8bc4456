// The --config file: what is honoured, and that nothing in it is ignored.

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <set>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/nearest_name.h"
#include "cli/option_values.h"
#include "support/run.h"
#include "support/scratch_folder.h"

namespace chorus::cli {
namespace {

using test::run_chorus;
using test::RunResult;

class ConfigFile : public testing::Test {
 protected:
  // The exit code and the messages of a start that goes no further than to a port of another host.
  RunResult start(const std::string& text, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"serve", "--config", folder_.write("c.toml", text),
                                          "--host", "192.0.2.1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_chorus(arguments);
  }

  void expect_refused(const std::string& text, const std::string& expected) {
    RunResult result = start(text);
    EXPECT_EQ(result.exit_code, 2) << text << result.err;
    EXPECT_NE(result.err.find("c.toml" + expected), std::string::npos) << text << result.err;
  }

  test::ScratchFolder folder_;
};

TEST_F(ConfigFile, WhatIsNotKnownIsRefusedWithItsLineAndWhatWasMeant) {
  expect_refused("[serve]\napi_key_file = \"k\"\n",
                 ":2: api_key_file: no such option of serve; did you mean api-key-file?");
  expect_refused("[serve]\n\nporrt = 1\n",
                 ":3: porrt: no such option of serve; did you mean port?");
  expect_refused("[serve]\nPort = 1\n", ":2: Port: no such option of serve; did you mean port?");
  expect_refused("[serve]\ntop-k = 1\n", ":2: top-k: no such option of serve; it belongs into");
  expect_refused("[serve]\nm = \"x\"\n", ":2: m: write model, the option's long name");
  expect_refused("[serve]\nhelp = true\n", ":2: help: no such option");
  expect_refused("[serve]\nconfig = \"x\"\n", ":2: config: no such option");
  expect_refused("[server]\nport = 1\n", ":1: [server]: no such section; did you mean [serve]?");
  expect_refused("[x]\n", ":1: [x]: no such section; there are [generate]");
  expect_refused("[serve.http]\nport = 1\n", ":1: [serve.http]: sections have no sections");
  expect_refused("[[serve]]\nport = 1\n", ":1: serve: expected a section, [serve], found a list");
  expect_refused("serve = 5\n", ":1: serve: expected a section, [serve], found 5");
  expect_refused("port = 1\n[serve]\n", ":1: port: it stands in no section; write [serve]");
  expect_refused("wrong = 1\n", ":1: wrong: it stands in no section");
  expect_refused(
      "api_key_file = \"keys\"\n[serve]\n",
      ":1: api_key_file: it stands in no section, and no command has such an option; did "
      "you mean api-key-file, with [serve] above it?");
  expect_refused(
      "max-quue = 5\n",
      ":1: max-quue: it stands in no section, and no command has such an option; did you "
      "mean max-queue, with [serve] above it?");
  expect_refused("zzzzzzzzzz = 1\n",
                 ":1: zzzzzzzzzz: it stands in no section, and no command has such an option\n");
}

TEST_F(ConfigFile, AnotherCommandsSectionIsReadAsStrictly) {
  expect_refused("[generate]\ntemprature = 1\n", ":2: temprature: no such option of generate");
  expect_refused("[score]\nstride = 0\n", ":2: stride: expected a whole number from 1");
  test::ScratchFolder folder;
  std::string file = folder.write("g.toml", "[serve]\napi_key_file = \"k\"\n");
  for (std::vector<std::string> command : {std::vector<std::string>{"generate", "x"},
                                           {"score", "x"},
                                           {"tokenize", "x"},
                                           {"inspect"}}) {
    command.insert(command.begin(), {"--config", file});
    RunResult result = run_chorus(command);
    EXPECT_EQ(result.exit_code, 2) << command[2];
    EXPECT_NE(result.err.find("g.toml:2: api_key_file"), std::string::npos) << result.err;
  }
}

TEST_F(ConfigFile, ABrokenLineIsNamed) {
  expect_refused("[serve]\nport\n", ":2: no TOML: ");
  expect_refused("[serve]\nport = 1\nport = 2\n", ":3: no TOML: ");
  expect_refused("[serve\n", ":1: no TOML: ");
  expect_refused("[serve]\n[serve]\nport = 1\n", ":2: no TOML: ");
  expect_refused("[serve]\nmax-body = 2MiB\n", ":2: no TOML: ");
  expect_refused("; INI\n", ":1: no TOML: ");
  expect_refused("[serve]\nhost = \"\xff\"\n", ":2: no TOML: ");
  expect_refused("[serve]\nhost = \"a\nb\"\n", ":2: no TOML: ");
  expect_refused("\xff\xfe[\0", ":1: expected UTF-8, found utf-16: save it as UTF-8");
  expect_refused(std::string(1 << 21, ' '), ": expected at most 1048576 bytes of TOML");
}

std::string repeated(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

TEST_F(ConfigFile, NoNestingCrashesIt) {
  for (int count : {4096, 4097, 100'000}) {
    for (const std::string& text :
         {repeated("a.", count) + "a = 1\n", "[" + repeated("a.", count) + "a]\n",
          "a = [" + repeated("{a.a=[", count / 2), "a = " + repeated("[", count),
          "a = " + repeated("{a=", count), repeated("\"a\".", count) + "a = 1\n"}) {
      EXPECT_EQ(start(text).exit_code, 2) << count << " " << text.substr(0, 20);
    }
  }
}

TEST_F(ConfigFile, AValueOfAnotherKindIsRefused) {
  expect_refused(
      "[serve]\nport = \"4444\"\n",
      ":2: port: expected a whole number, found the text '4444'; write it without quotes");
  expect_refused("[serve]\nport = 4444.0\n", ":2: port: expected a whole number, found 4444");
  expect_refused("[serve]\nport = [1, 2]\n", ":2: port: expected a whole number, found a list");
  expect_refused("[serve]\nport = true\n", ":2: port: expected a whole number, found true");
  expect_refused("[serve]\nport = 65536\n", ":2: port: expected a whole number from 0 to 65535");
  expect_refused("[serve]\nlog-json = \"true\"\n", ":2: log-json: expected true or false");
  expect_refused("[serve]\nlog-json = 1\n", ":2: log-json: expected true or false, found 1");
  expect_refused("[serve]\nhost = 5\n", ":2: host: expected a text, found 5");
  expect_refused("[serve]\nmodel = []\n", ":2: model: expected at least one value");
  expect_refused("[serve]\nmodel = [\"a\", 1]\n", ":2: model: expected a text, or a list of texts");
  expect_refused("[serve]\napi-key-file = \"\"\n",
                 ":2: api-key-file: expected a text, found an empty");
  expect_refused("[serve]\nidle-timeout = \"1\"\n", ":2: idle-timeout: expected a number");
  expect_refused("[serve]\nidle-timeout = 2000-01-01\n", ":2: idle-timeout: expected a number");
  expect_refused("[serve]\nidle-timeout = inf\n", ":2: idle-timeout: ");
  expect_refused("[serve]\nmax-body = \"2 apples\"\n", ":2: max-body: ");
}

TEST_F(ConfigFile, AllMistakesAreToldAtOnceAndTheCommandLineHidesNone) {
  RunResult result = start("[serve]\nport = 70000\nlog-json = 1\nhost = 3\n", {"--port", "1"});
  EXPECT_EQ(result.exit_code, 2);
  for (const char* expected : {"c.toml:2: port: ", "c.toml:3: log-json: ", "c.toml:4: host: "}) {
    EXPECT_NE(result.err.find(expected), std::string::npos) << result.err;
  }
}

TEST_F(ConfigFile, WhatIsRightIsHonouredInEveryWayThatTomlHas) {
  // The address cannot be listened on: that it comes so far shows that the file was taken.
  for (const char* text :
       {"\xef\xbb\xbf[serve]\nport = 1\n", "serve.port = 1\n", "serve = {port = 0x1}\n",
        "[serve]\r\nport = 1 # here\r\n", "[serve]\n\"port\" = 1\n", "",
        "[serve]\nport = 1\nmodel = [\n  'a=x.pt', # one\n  \"b=y.pt\",\n]\n",
        "[serve]\nport = 1\nmax-body = 2_000\nkv-memory = \"2GiB\"\nidle-timeout = 1\n"
        "request-timeout = 0.5\nlog-json = false\nmodel = \"a=x.pt\"\n",
        "[generate]\nseed = 18446744073709551615\n",
        "[generate]\nn = 3\nseed = -1\nprompt-ids = [1, 2]\nrng = \"torch-cpu-mkl\"\n"
        "[bench]\nthreads = [1, 2]\ndtype = [\"f32\"]\n"}) {
    RunResult result = start(text);
    bool is_past_toml = std::string(text).find("18446744073709551615") != std::string::npos;
    EXPECT_EQ(result.exit_code, is_past_toml ? 2 : 1) << text << result.err;
    if (!is_past_toml) {
      EXPECT_NE(result.err.find("192.0.2.1"), std::string::npos) << result.err;
    }
  }
  EXPECT_EQ(start("[generate]\nseed = \"18446744073709551615\"\n").exit_code, 1);
}

TEST_F(ConfigFile, TheFileItselfMustBeThere) {
  for (std::vector<std::string> arguments : {std::vector<std::string>{"serve", "--config", ""},
                                             {"serve", "--config", "/none"},
                                             {"serve", "--config", folder_.path()},
                                             {"--config", "", "serve"}}) {
    EXPECT_EQ(run_chorus(arguments).exit_code, 2) << arguments[1] << arguments[2];
  }
}

TEST_F(ConfigFile, HelpComesBeforeItsMistakes) {
  EXPECT_EQ(start("[serve]\nporrt = 1\n", {"--help"}).exit_code, 0);
}

TEST_F(ConfigFile, MistakesAreJsonWhereTheLogIs) {
  for (const char* text : {"[serve]\nlog-json = true\nporrt = 1\n", "[serve]\nporrt = 1\n"}) {
    RunResult result = start(text, {"--log-json"});
    EXPECT_EQ(result.err.rfind("{\"time\":\"", 0), 0u) << result.err;
    EXPECT_NE(result.err.find("\"level\":\"error\",\"message\":\""), std::string::npos);
  }
  RunResult result = start("[serve]\nlog-json = true\nporrt = 1\n");
  EXPECT_EQ(result.err.rfind("{\"time\":\"", 0), 0u) << result.err;
}

// Whoever gives an option a new word for its value has to say what kind it is (option_values.cpp).
TEST_F(ConfigFile, EveryOptionsKindIsKnown) {
  const std::set<std::string> texts = {"PATH",
                                       "ADDRESS",
                                       "CHARACTER",
                                       "HOST",
                                       "LEVEL",
                                       "NAME",
                                       "ORIGIN",
                                       "STRING",
                                       "TEXT",
                                       "TYPE",
                                       "FILE",
                                       "PATH|NAME",
                                       "PATH|gpt2",
                                       "PATH|gpt2|none",
                                       "[NAME=]PATH|NAME",
                                       "plain|model|PATH",
                                       "NETWORK",
                                       "MODE",
                                       "WHERE",
                                       "LOOP",
                                       "STREAM",
                                       "WHAT",
                                       "TYPE,..."};
  CLI::App app;
  for (auto* add : {add_generate, add_score, add_tokenize, add_convert, add_inspect, add_serve,
                    add_bench, add_completion}) {
    add(app);
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    for (const CLI::Option* option : settable_options(*command)) {
      if (type_of(*option).kind != OptionKind::kText) continue;
      std::string name = option->get_type_name();
      name.resize(std::min(name.size(), name.find_first_of(":{ ")));
      EXPECT_TRUE(texts.contains(name))
          << command->get_name() << " " << option->get_name() << ": " << option->get_type_name();
    }
  }
}

TEST(NearestName, IsFewLettersAway) {
  const std::vector<std::string> known = {"port", "host", "api-key-file", "max-queue"};
  EXPECT_EQ(nearest_name("prot", known), "port");
  EXPECT_EQ(nearest_name("API_KEY_FILES", known), "api-key-file");
  EXPECT_EQ(nearest_name("maxqueue", known), "max-queue");
  EXPECT_EQ(nearest_name("temperature", known), "");
  EXPECT_EQ(nearest_name("", known), "");
  EXPECT_EQ(nearest_name(std::string(1 << 20, 'p'), known), "");
}

}  // namespace
}  // namespace chorus::cli
