// The variables CHORUS_...: what is honoured, refused, and known to be somebody else's.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/run.h"

namespace chorus::cli {
namespace {

using test::run_chorus;
using test::RunResult;

using Variables = std::vector<std::pair<std::string, std::string>>;

RunResult start_with(const Variables& variables, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"serve", "--unix-socket", "/none/socket"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_chorus(arguments, {.environment = variables});
}

TEST(Environment, WhatIsNotKnownIsRefusedWithWhatWasMeant) {
  const std::pair<std::string, std::string> cases[] = {
      {"CHORUS_PROT", "did you mean CHORUS_PORT?"},
      {"CHORUS_API_KEY_FILES", "did you mean CHORUS_API_KEY_FILE?"},
      {"chorus_port", "did you mean CHORUS_PORT?"},
      {"CHORUS-PORT", "did you mean CHORUS_PORT?"},
      {"CHORUS_CACHEDIR", "no such variable"},
      {"CHORUS_CONFIG", "no such variable"},
      {"CHORUS_", "no such variable"},
      {"CHORUS_TEMPERATURE", "no such variable"}};
  for (const auto& [name, expected] : cases) {
    RunResult result = start_with({{name, "1"}});
    EXPECT_EQ(result.exit_code, 2) << name;
    EXPECT_NE(result.err.find(name + ": no such variable"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find(expected), std::string::npos) << result.err;
    RunResult other = run_chorus({"tokenize", "x"}, {.environment = {{name, "1"}}});
    EXPECT_EQ(other.exit_code, 2) << name;
  }
}

TEST(Environment, AWrongValueIsRefusedByTheVariablesName) {
  const std::pair<std::string, std::string> cases[] = {
      {"CHORUS_PORT", "x"},         {"CHORUS_PORT", "65536"},   {"CHORUS_PORT", ""},
      {"CHORUS_API_KEY_FILE", ""},  {"CHORUS_MODEL", ""},       {"CHORUS_LOG_JSON", "yes"},
      {"CHORUS_NO_TCP", "maybe"},   {"CHORUS_MAX_BODY", "big"}, {"CHORUS_LOG_LEVEL", "loud"},
      {"CHORUS_IDLE_TIMEOUT", "0"}, {"CHORUS_HOST", ""}};
  for (const auto& [name, value] : cases) {
    for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--port", "1"}}) {
      RunResult result = start_with({{name, value}}, more);
      EXPECT_EQ(result.exit_code, 2) << name << "=" << value;
      EXPECT_NE(result.err.find(name + ": "), std::string::npos) << result.err;
    }
  }
  RunResult other = run_chorus({"tokenize", "x"}, {.environment = {{"CHORUS_PORT", "x"}}});
  EXPECT_EQ(other.exit_code, 0) << "no option of tokenize: " << other.err;
  EXPECT_EQ(start_with({{"CHORUS_PORT", "x"}}, {"--help"}).exit_code, 0);
}

TEST(Environment, KubernetesLinksAreIgnoredWithALine) {
  const Variables links = {{"CHORUS_PORT", "tcp://10.0.0.1:8000"},
                           {"CHORUS_SERVICE_HOST", "10.0.0.1"},
                           {"CHORUS_SERVICE_PORT", "8000"},
                           {"CHORUS_SERVICE_PORT_HTTP", "8000"},
                           {"CHORUS_PORT_8000_TCP", "tcp://10.0.0.1:8000"},
                           {"CHORUS_PORT_8000_TCP_PROTO", "tcp"},
                           {"CHORUS_PORT_8000_TCP_PORT", "8000"},
                           {"CHORUS_PORT_8000_TCP_ADDR", "10.0.0.1"},
                           {"CHORUS_BATCH_PORT", "tcp://10.0.0.2:80"},
                           {"CHORUS_BATCH_SERVICE_HOST", "10.0.0.2"}};
  RunResult result = start_with(links, {"--no-tcp"});
  EXPECT_EQ(result.exit_code, 1) << result.err;
  for (const auto& [name, value] : links) {
    EXPECT_NE(result.err.find(name + "=" + value), std::string::npos) << result.err;
  }
  EXPECT_NE(result.err.find("enableServiceLinks"), std::string::npos);
  EXPECT_EQ(start_with({{"CHORUS_BATCH_PORT", "80"}}).exit_code, 2) << "no link";
  EXPECT_EQ(start_with({{"CHORUS_HOST", "tcp://10.0.0.1:80"}}).exit_code, 1) << "an option's value";
  EXPECT_EQ(run_chorus({"tokenize", "x"}, {.environment = links}).exit_code, 0);
}

// Until 0.2 CHORUS_NO_TCP=true was taken for the contrary.
TEST(Environment, AFlagIsWhatItSays) {
  for (const char* yes : {"true", "1"}) {
    RunResult result = start_with({{"CHORUS_NO_TCP", yes}, {"CHORUS_HOST", "192.0.2.1"}});
    EXPECT_NE(result.err.find("/none/socket"), std::string::npos) << result.err;
  }
  for (const char* no : {"false", "0"}) {
    RunResult result = start_with({{"CHORUS_NO_TCP", no}, {"CHORUS_HOST", "192.0.2.1"}});
    EXPECT_NE(result.err.find("192.0.2.1"), std::string::npos) << result.err;
  }
}

}  // namespace
}  // namespace chorus::cli
