// The command as a user runs it, with the embedded storyteller; that its tokens are PyTorch's is
// tested in tests/torch.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <sstream>

#include "core/utf8.h"
#include "kernels/kernels.h"
#include "support/run.h"

namespace chorus::test {
namespace {

namespace json = boost::json;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Words = std::vector<std::string>;

const std::string kPrompt = "Once upon a time";

RunResult generate(Words arguments, const RunOptions& options = {}) {
  arguments.insert(arguments.begin(), "generate");
  return run_chorus(arguments, options);
}

std::string text_of(const RunResult& result) {
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.out;
}

json::value json_of(const RunResult& result) {
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.exit_code == 0 ? json::parse(result.out) : json::value();
}

std::vector<json::value> lines_of(const RunResult& result) {
  std::vector<json::value> lines;
  std::istringstream in(result.out);
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
  return lines;
}

struct WrongLine {
  std::string line;
  testing::Matcher<std::string> message;
};

// All in one run.
void expect_errors(const std::vector<WrongLine>& wrong) {
  std::string input;
  for (const WrongLine& row : wrong) input += row.line + "\n";
  RunResult result = generate({"--jsonl"}, {.input = input});
  EXPECT_EQ(result.exit_code, 1);
  std::vector<json::value> answers = lines_of(result);
  ASSERT_EQ(answers.size(), wrong.size());
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    SCOPED_TRACE(wrong[i].line);
    ASSERT_TRUE(answers[i].as_object().contains("error"));
    EXPECT_THAT(json::value_to<std::string>(answers[i].at("error").at("message")),
                wrong[i].message);
  }
}

void expect_failure(const RunResult& result, int exit_code, const std::string& message) {
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("chorus: " + message + "\n"));
}

TEST(GenerateCommand, TextGoesToStandardOutputAndTheRestToStandardError) {
  RunResult result = generate({kPrompt, "--seed", "42", "--max-length", "20", "--threads", "1"});
  std::string text = text_of(result);
  EXPECT_THAT(text, StartsWith(kPrompt));
  EXPECT_GT(text.size(), kPrompt.size() + 10);
  EXPECT_EQ(text.back(), '\n');
  EXPECT_THAT(result.err,
              ContainsRegex("^Loaded embedded storyteller \\(7\\.8 M parameters, bf16-f32, "
                            "[a-z0-9]+, 1 thread\\) in [0-9]+\\.[0-9]{2} s\n"
                            "Generated 16 tokens in [0-9]+\\.[0-9]{2} s "
                            "\\([0-9]+\\.[0-9]{2} tokens/s\\)\n$"));
}

TEST(GenerateCommand, ARandomSeedIsPrintedAndRepeatsTheText) {
  RunResult first = generate({kPrompt, "--max-length", "30"});
  std::string text = text_of(first);
  std::size_t at = first.err.find("\nSeed ");
  ASSERT_NE(at, std::string::npos) << first.err;
  std::string seed = first.err.substr(at + 6, first.err.find('\n', at + 1) - at - 6);
  RunResult again = generate({kPrompt, "--max-length", "30", "--seed", seed});
  EXPECT_EQ(text_of(again), text);
  EXPECT_THAT(again.err, Not(HasSubstr("Seed")));
  EXPECT_THAT(generate({kPrompt, "--max-length", "30"}).err, Not(HasSubstr("Seed " + seed + "\n")));
}

TEST(GenerateCommand, JsonHasExactlyTheFieldsThatArePromised) {
  json::object result =
      json_of(generate({kPrompt, "--seed", "7", "--max-length", "12", "--json"})).as_object();
  Words keys;
  for (const auto& field : result) keys.emplace_back(field.key());
  EXPECT_EQ(keys, (Words{"model", "seed", "prompt_tokens", "tokens", "text", "finish_reason",
                         "tokens_per_second", "load_seconds"}));
  EXPECT_EQ(result.at("model"), json::value("storyteller"));
  EXPECT_EQ(result.at("seed"), json::value(7));
  EXPECT_EQ(result.at("prompt_tokens"), (json::value{7454, 2402, 257, 640}));
  ASSERT_EQ(result.at("tokens").as_array().size(), 12u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(result.at("tokens").at(i), result.at("prompt_tokens").at(i));
  }
  EXPECT_EQ(json::value_to<std::string>(result.at("text")) + "\n",
            text_of(generate({kPrompt, "--seed", "7", "--max-length", "12"})));
  EXPECT_EQ(result.at("finish_reason"), json::value("length"));
  EXPECT_GT(result.at("tokens_per_second").to_number<double>(), 0.0);
  EXPECT_GT(result.at("load_seconds").to_number<double>(), 0.0);
}

TEST(GenerateCommand, SamplesAreTheRunsOfSuccessiveSeeds) {
  Words common = {kPrompt, "--max-length", "20", "--json"};
  auto with = [&](const Words& more) {
    Words all = common;
    all.insert(all.end(), more.begin(), more.end());
    return json_of(generate(all));
  };
  json::array samples = with({"-n", "3", "--seed", "5"}).as_array();
  ASSERT_EQ(samples.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    json::object alone = with({"--seed", std::to_string(5 + i)}).as_object();
    const json::value& sample = samples[static_cast<std::size_t>(i)];
    EXPECT_EQ(sample.at("seed"), json::value(5 + i));
    EXPECT_EQ(sample.at("tokens"), alone.at("tokens"));
    EXPECT_EQ(sample.at("text"), alone.at("text"));
  }
  EXPECT_NE(samples[0].at("tokens"), samples[1].at("tokens"));
}

TEST(GenerateCommand, WithoutStreamingTheBytesAreTheSame) {
  for (const Words& prompt : {Words{kPrompt}, Words{"--prompt-ids", "50256,7454"}, Words{},
                              Words{kPrompt, "-n", "2"}, Words{"--prompt-ids", "8582,99"}}) {
    Words streamed = prompt;
    streamed.insert(streamed.end(), {"--seed", "3", "--max-length", "25"});
    Words whole = streamed;
    whole.push_back("--no-stream");
    EXPECT_EQ(text_of(generate(whole)), text_of(generate(streamed)));
  }
}

TEST(GenerateCommand, AStopStringEndsTheTextBeforeIt) {
  Words common = {kPrompt, "--seed", "42", "--max-length", "60"};
  std::string text = text_of(generate(common));
  std::string stop = text.substr(text.size() / 2, 4);
  Words stopped = common;
  stopped.insert(stopped.end(), {"--stop", "\x01never", "--stop", stop});
  std::size_t at = text.find(stop, kPrompt.size());
  EXPECT_EQ(text_of(generate(stopped)), text.substr(0, at) + "\n");
  stopped.push_back("--json");
  EXPECT_EQ(json_of(generate(stopped)).at("finish_reason"), json::value("stop"));
}

TEST(GenerateCommand, APromptMayBeGivenAsIds) {
  Words common = {"--seed", "1", "--max-length", "20"};
  auto with = [&](Words prompt) {
    prompt.insert(prompt.end(), common.begin(), common.end());
    return generate(prompt);
  };
  EXPECT_EQ(text_of(with({"--prompt-ids", "7454,2402,257,640"})), text_of(with({kPrompt})));
  expect_failure(with({"--prompt-ids", ""}), 1, "--prompt-ids: expected at least one id");
  expect_failure(with({"--prompt-ids", " , "}), 1, "--prompt-ids: expected at least one id");
  expect_failure(with({"--prompt-ids", "1,x"}), 1,
                 "--prompt-ids: \"x\" is not an id: expected whole numbers of 32 bits, separated "
                 "by commas or spaces");
  expect_failure(with({"--prompt-ids", "1,50304"}), 1,
                 "prompt[1]: expected an id from 0 to 50303 (the model's vocabulary), found 50304");
  expect_failure(with({kPrompt, "--prompt-ids", "1"}), 2,
                 "PROMPT excludes --prompt-ids\nRun with "
                 "--help for more information.");
}

TEST(GenerateCommand, NoPromptIsTheStartOfAText) {
  json::value result = json_of(generate({"--seed", "1", "--max-length", "5", "--json"}));
  EXPECT_EQ(result.at("prompt_tokens"), (json::value{50256}));
  EXPECT_THAT(json::value_to<std::string>(result.at("text")), Not(HasSubstr("endoftext")));
  EXPECT_EQ(json_of(generate({"", "--seed", "1", "--max-length", "5", "--json"})).at("tokens"),
            result.at("tokens"));
}

TEST(GenerateCommand, SpecialTokensOfAPromptAreTokensOnRequest) {
  Words common = {"<|endoftext|>Once", "--seed", "1", "--max-length", "12", "--json"};
  EXPECT_EQ(json_of(generate(common)).at("prompt_tokens").as_array().size(), 8u);
  common.push_back("--special");
  EXPECT_EQ(json_of(generate(common)).at("prompt_tokens"), (json::value{50256, 7454}));
}

TEST(GenerateCommand, MaxLengthIsAHundredUnlessGivenAndAtMostTheBlockSize) {
  // Seed 1 meets no <|endoftext|> within a hundred tokens.
  json::value result = json_of(generate({kPrompt, "--seed", "1", "--json"}));
  EXPECT_EQ(result.at("finish_reason"), json::value("length"));
  EXPECT_EQ(result.at("tokens").as_array().size(), 100u);
  expect_failure(generate({kPrompt, "--max-length", "1025"}), 1,
                 "max_length: expected 1 to 1024 (the model's block size), found 1025; past_block "
                 "crop goes on past it");
  expect_failure(generate({kPrompt, "--max-length", "3"}), 1,
                 "max_length: expected at least the prompt's 4 tokens, found 3");
  json::value full = json_of(generate({kPrompt, "--max-length", "4", "--json"}));
  EXPECT_EQ(full.at("tokens"), full.at("prompt_tokens"));
}

std::string tokens_of(const Words& options) {
  Words all = {kPrompt, "--max-length", "16", "--seed", "1337", "--json"};
  all.insert(all.end(), options.begin(), options.end());
  return json::serialize(json_of(generate(all)).at("tokens"));
}

// PyTorch 1.13.1's tokens of nanoGPT's loop are in tests/torch; here, that the options reach it.
TEST(GenerateCommand, TheLoopIsTheModelsOwnUnlessGiven) {
  EXPECT_EQ(tokens_of({}), tokens_of({"--loop", "talk"}));
  EXPECT_NE(tokens_of({}), tokens_of({"--loop", "nanogpt"}));
  EXPECT_EQ(tokens_of({"--loop", "nanogpt", "--top-k", "0"}), tokens_of({"--top-k", "0"}));
  expect_failure(
      generate({kPrompt, "--loop", "hf"}), 2,
      "--loop: hf not in {talk,nanogpt,transformers}\nRun with --help for more information.");
  expect_failure(generate({kPrompt, "--eos", "--ignore-eos"}), 2,
                 "--ignore-eos excludes --eos\nRun with --help for more information.");
}

TEST(GenerateCommand, OneStreamMakesItsSamplesOneAfterAnother) {
  Words common = {kPrompt, "--max-length", "12", "--seed", "5", "-n", "3", "--one-stream"};
  auto with = [&](const std::string& more) {
    Words all = common;
    all.push_back(more);
    return generate(all);
  };
  json::value samples = json_of(with("--json"));
  ASSERT_EQ(samples.as_array().size(), 3u);
  std::string text;
  for (int i = 0; i < 3; ++i) {
    const json::value& sample = samples.as_array()[static_cast<std::size_t>(i)];
    EXPECT_EQ(sample.at("seed"), json::value(5));
    text += fmt::format("{}--- sample {} of seed 5 ---\n{}\n", i > 0 ? "\n" : "", i,
                        json::value_to<std::string>(sample.at("text")));
  }
  EXPECT_EQ(text_of(with("--no-stream")), text);
  EXPECT_EQ(text_of(generate(common)), text);
  EXPECT_NE(samples.as_array()[1].at("tokens"), samples.as_array()[0].at("tokens"));
}

TEST(GenerateCommand, GoesOnPastTheBlockIfAsked) {
  std::string ids = "1";
  for (int i = 0; i < 1030; ++i) ids += ",262";
  Words common = {"--prompt-ids", ids, "--max-length", "1033", "--seed", "1", "--json"};
  expect_failure(generate(common), 1,
                 "max_length: expected 1 to 1024 (the model's block size), found 1033; past_block "
                 "crop goes on past it");
  common.insert(common.end(), {"--past-block", "crop"});
  EXPECT_EQ(json_of(generate(common)).at("tokens").as_array().size(), 1033u);
}

TEST(GenerateCommand, TheLikeliestTokenNeedsNoSeed) {
  Words common = {kPrompt, "--max-length", "30"};
  auto with = [&](const Words& more) {
    Words all = common;
    all.insert(all.end(), more.begin(), more.end());
    return text_of(generate(all));
  };
  std::string greedy = with({"--temperature", "0"});
  EXPECT_EQ(with({"--temperature", "0"}), greedy);
  EXPECT_EQ(with({"--temperature", "0", "--seed", "9"}), greedy);
  EXPECT_EQ(with({"--top-k", "1", "--seed", "9"}), greedy);
  EXPECT_NE(with({"--seed", "9"}), greedy);
}

TEST(GenerateCommand, EverySamplingOptionIsHeard) {
  Words common = {kPrompt, "--max-length", "40", "--seed", "11"};
  auto with = [&](const Words& more) {
    Words all = common;
    all.insert(all.end(), more.begin(), more.end());
    return text_of(generate(all));
  };
  std::string plain = with({});
  EXPECT_EQ(with({"--top-k", "50", "--temperature", "1", "--rng", "torch-cpu"}), plain);
  EXPECT_EQ(with({"--top-k", "050"}), plain);  // decimal, not octal
  EXPECT_NE(with({"--top-k", "0"}), plain);
  EXPECT_NE(with({"--temperature", "2.5"}), plain);
  EXPECT_NE(with({"--rng", "torch-cpu-mkl"}), plain);
  EXPECT_NE(with({"--rng", "torch-cuda"}), plain);
}

TEST(GenerateCommand, TextDoesNotDependOnThreadsInstructionsOrTypeInMemory) {
  Words common = {kPrompt, "--max-length", "40", "--seed", "21"};
  auto with = [&](const Words& more, const std::string& isa = "") {
    Words all = common;
    all.insert(all.end(), more.begin(), more.end());
    RunOptions options;
    if (!isa.empty()) options.environment = {{"CHORUS_ISA", isa}};
    RunResult result = generate(all, options);
    if (!isa.empty()) {
      EXPECT_THAT(result.err, HasSubstr(", " + isa + ", "));
    }
    return text_of(result);
  };
  std::string text = with({"--threads", "1"});
  EXPECT_EQ(with({"--threads", "2"}), text);
  EXPECT_EQ(with({"--threads", "3"}), text);
  EXPECT_EQ(with({"--dtype", "bf16-f32"}), text);
  EXPECT_EQ(with({"--dtype", "f32"}), text);  // the stored weights are bf16, so nothing is lost
  for (auto isa : {kernels::Isa::kScalar, kernels::Isa::kAvx2, kernels::Isa::kAvx512}) {
    if (kernels::is_supported(isa)) {
      EXPECT_EQ(with({}, kernels::isa_name(isa)), text);
    }
  }
}

// The stopping id is among the tokens and not in the text, on the command line and in a line alike.
TEST(GenerateCommand, StopIdsEndASample) {
  Words common = {kPrompt, "--seed", "3", "--json"};
  auto with = [&](const Words& more) {
    Words all = common;
    all.insert(all.end(), more.begin(), more.end());
    return json_of(generate(all));
  };
  json::value whole = with({});
  const json::array& tokens = whole.at("tokens").as_array();
  ASSERT_GT(tokens.size(), 20u);
  std::size_t prompt = whole.at("prompt_tokens").as_array().size();
  std::int64_t id = tokens[prompt + 8].to_number<std::int64_t>();
  std::size_t place = prompt;
  while (tokens[place] != tokens[prompt + 8]) ++place;

  json::value ended = with({"--stop-ids", "50000," + std::to_string(id)});
  EXPECT_EQ(ended.at("finish_reason"), "stop");
  EXPECT_EQ(ended.at("tokens").as_array().size(), place + 1);
  EXPECT_EQ(ended.at("tokens").as_array().back(), tokens[place]);
  std::string text(ended.at("text").as_string());
  EXPECT_TRUE(std::string(whole.at("text").as_string()).starts_with(text));
  EXPECT_LT(text.size(), whole.at("text").as_string().size());

  RunResult lines =
      generate({"--jsonl"}, {.input = R"({"prompt":")" + kPrompt + R"(","seed":3,"stop_ids":[)" +
                                      std::to_string(id) + "]}\n"});
  EXPECT_EQ(lines_of(lines).at(0).at("tokens"), ended.at("tokens"));
  for (const char* wrong : {"1,x", "-1", "50304"}) {
    RunResult result = generate({kPrompt, "--stop-ids", wrong});
    EXPECT_EQ(result.exit_code, 1) << wrong;
    EXPECT_THAT(result.err, testing::AnyOf(HasSubstr("--stop-ids: \"x\" is not an id"),
                                           HasSubstr("stop_token_ids[0]: expected an id")));
  }
}

TEST(GenerateCommand, AnUnknownInstructionSetIsAnError) {
  expect_failure(generate({kPrompt}, {.environment = {{"CHORUS_ISA", "sse9"}}}), 1,
                 "CHORUS_ISA=sse9: expected scalar, avx2 or avx512");
}

TEST(GenerateCommand, WrongOptionsAreRefusedWithWhatWasExpected) {
  auto expect_usage = [](const std::string& option, const std::string& value,
                         const std::string& expected) {
    expect_failure(generate({kPrompt, option, value}), 2,
                   option + ": expected " + expected + ", found \"" + value + "\"");
  };
  expect_usage("--threads", "0", "a whole number from 1 to 1024");
  expect_usage("--max-length", "0", "a whole number from 1 to 2147483647");
  expect_usage("--max-length", "1e3", "a whole number from 1 to 2147483647");
  expect_usage("--top-k", "-1", "a whole number from 0 to 2147483647");
  expect_usage("--top-k", "99999999999999999999", "a whole number from 0 to 2147483647");
  expect_usage("-n", "0", "a whole number from 1 to 100000");
  for (const char* wrong : {"nan", "inf", "-1", "1e39", "x", ""}) {
    expect_usage("--temperature", wrong, "a finite number of at least 0");
  }
  expect_failure(generate({kPrompt, "--model", ""}), 2,
                 "--model: expected a path or a name, found an empty string");
  EXPECT_EQ(generate({kPrompt, "--rng", "numpy"}).exit_code, 2);
  expect_failure(generate({kPrompt, "--dtype", "f16"}), 2,
                 "--dtype: expected f32, bf16, bf16-f32, int8 or int4, found \"f16\"");
  for (const char* wrong :
       {"", "x", "1x", " 1", "1.5", "18446744073709551616", "-9223372036854775809"}) {
    expect_failure(
        generate({kPrompt, "--seed", wrong}), 1,
        std::string("--seed: expected a whole number of 64 bits, found \"") + wrong + "\"");
  }
}

TEST(GenerateCommand, ANegativeSeedIsTheOneThatPyTorchTakesItFor) {
  Words common = {kPrompt, "--max-length", "20", "--seed"};
  auto with = [&](const std::string& seed) {
    Words all = common;
    all.push_back(seed);
    return text_of(generate(all));
  };
  EXPECT_EQ(with("-5"), with("18446744073709551611"));
  EXPECT_NE(with("-5"), with("5"));
}

TEST(GenerateCommand, RequestsAreAnsweredInOrderWithTheOptionsAsDefaults) {
  RunResult result = generate(
      {"--jsonl", "--max-length", "15", "--seed", "4"},
      {.input = "{\"prompt\": \"Once upon a time\"}\n\n"
                "{\"prompt\": \"The\", \"max-length\": 10, \"seed\": 5, \"n\": 2}\r\n"
                "{\"prompt_ids\": [7454], \"max_length\": 8, \"top_k\": 1, \"temperature\": 0.5,"
                " \"rng\": \"torch-cuda\", \"stop\": [\"zzz\"], \"special\": true}"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  std::vector<json::value> lines = lines_of(result);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(
      lines[0].at("tokens"),
      json_of(generate({kPrompt, "--max-length", "15", "--seed", "4", "--json"})).at("tokens"));
  EXPECT_EQ(lines[0].at("seed"), json::value(4));
  ASSERT_EQ(lines[1].as_array().size(), 2u);
  EXPECT_EQ(lines[1].at(1).at("seed"), json::value(6));
  EXPECT_EQ(lines[1].at(1).at("tokens"),
            json_of(generate({"The", "--max-length", "10", "--seed", "6", "--json"})).at("tokens"));
  EXPECT_EQ(lines[2].at("tokens").as_array().size(), 8u);
  EXPECT_EQ(
      lines[2].at("tokens"),
      json_of(generate({"Once", "--max-length", "8", "--top-k", "1", "--json"})).at("tokens"));
}

TEST(GenerateCommand, ABadRequestIsAnsweredWithItsErrorAndTheOthersGoOn) {
  RunResult result = generate({"--jsonl", "--max-length", "6", "--seed", "1"},
                              {.input = "{\"prompt\": \"a\"}\n{\"promt\": \"b\"}\nnonsense\n"
                                        "{\"prompt\": \"c\"}\n"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("chorus: 2 of 4 requests failed: see \"error\" in their lines\n"));
  std::vector<json::value> lines = lines_of(result);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0].at("tokens").as_array().size(), 6u);
  EXPECT_EQ(lines[1].at("error").at("line"), json::value(2));
  EXPECT_THAT(json::value_to<std::string>(lines[1].at("error").at("message")),
              StartsWith("unknown field 'promt'; known: prompt, prompt_ids, special, max_length,"));
  EXPECT_EQ(lines[2].at("error").at("line"), json::value(3));
  EXPECT_EQ(lines[3].at("tokens").as_array().size(), 6u);
}

TEST(GenerateCommand, AWrongFieldIsNamed) {
  expect_errors({
      {R"({"prompt": 7})", "prompt: expected a string, found 7"},
      {R"({"prompt": "a", "prompt_ids": [1]})",
       "prompt: expected a prompt or prompt_ids, found both"},
      {R"({"prompt_ids": []})", "prompt_ids: expected at least one id, found []"},
      {R"({"max_length": 0})", "max_length: expected a whole number from 1 to 2147483647, found 0"},
      {R"({"max_length": 1e99})",
       "max_length: expected a whole number from 1 to 2147483647, found 1e+99"},
      {R"({"max_length": 5, "max-new-tokens": 5})",
       "max_new_tokens: expected max_length or max_new_tokens, found both"},
      {R"({"max_new_tokens": 0})",
       "max_new_tokens: expected a whole number from 1 to 2147483647, found 0"},
      {R"({"prompt_ids": [1, 2], "max_new_tokens": 1023})",
       "max_new_tokens: expected 1 to 1022 (of 1024 tokens, the model's block size, the prompt "
       "takes "
       "2), found 1023; past_block crop goes on past it"},
      {R"({"max_length": 2000})",
       "max_length: expected 1 to 1024 (the model's block size), found 2000; past_block crop goes "
       "on past it"},
      {R"({"loop": "hf"})", StartsWith("loop: ")},
      {R"({"past_block": "wrap"})", StartsWith("past_block: ")},
      {R"({"n": 0})", "n: expected a whole number from 1 to 100000, found 0"},
      {R"({"n": 2000000000})", "n: expected a whole number from 1 to 100000, found 2000000000"},
      {R"({"seed": 1e30})", "seed: expected a whole number of 64 bits, found 1e+30"},
      {R"({"temperature": 1e300})", "temperature: expected a number of 32 bits, found 1e+300"},
      {R"({"temperature": NaN})", "bad JSON at byte 16: syntax error"},
      {R"({"temperature": -1})", StartsWith("temperature: ")},
      {R"({"top_k": -1})", StartsWith("top_k: ")},
      {R"({"rng": "numpy"})", StartsWith("rng: ")},
  });
}

TEST(GenerateCommand, TextIsAlwaysWellFormed) {
  // Beginnings of an emoji that the result does not complete, and every byte that begins nothing.
  std::string lines;
  for (std::string ids : {"8582", "8582,99", "447", "94,95", "222,223,7454"}) {
    std::string text =
        text_of(generate({"--prompt-ids", ids, "--seed", "1", "--max-length", "12"}));
    EXPECT_TRUE(is_well_formed(text)) << ids << ": " << text;
    EXPECT_THAT(text, StartsWith("\xEF\xBF\xBD"));
    for (std::string seed : {"2", "3"}) {
      lines += "{\"prompt_ids\": [" + ids + "], \"seed\": " + seed + "}\n";
    }
  }
  std::vector<json::value> answers =
      lines_of(generate({"--jsonl", "--max-length", "12"}, {.input = lines}));
  EXPECT_EQ(answers.size(), 10u);
  for (const json::value& line : answers) {
    auto text = json::value_to<std::string>(line.at("text"));
    EXPECT_TRUE(is_well_formed(text)) << text;
    EXPECT_THAT(text, StartsWith("\xEF\xBF\xBD"));
  }
  RunResult invalid =
      generate({"caf\xE9 \xF0\x9F", "--replace-invalid", "--seed", "1", "--max-length", "12"});
  EXPECT_THAT(text_of(invalid), StartsWith("caf\xEF\xBF\xBD \xEF\xBF\xBD"));
  std::string nul = text_of(generate({"--jsonl", "--max-length", "5", "--seed", "1"},
                                     {.input = R"({"prompt": "a\u0000b"})"}));
  EXPECT_THAT(nul, HasSubstr("\"text\":\"a\\u0000b"));
}

TEST(GenerateCommand, AFullDiskIsAnError) {
  for (const char* mode : {"--no-stream", "--json", "--seed=1"}) {
    RunResult result = generate({kPrompt, "--max-length", "6", mode}, {.output_file = "/dev/full"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("chorus: standard output: No space left on device\n"));
  }
}

TEST(GenerateCommand, AMissingModelIsNamed) {
  expect_failure(generate({kPrompt, "--model", "no/such.pt"}), 1,
                 "no/such.pt: no such file or folder, and not a known name (gpt2, gpt2-medium, "
                 "gpt2-large, gpt2-xl, distilgpt2, parallelopedia, hf:owner/name)");
}

TEST(Program, ACommandThatIsMissingOrUnknownIsNamed) {
  expect_failure(
      run_chorus({}), 2,
      "expected a command (generate, score, tokenize, detokenize, convert, inspect, serve, bench, "
      "completion), "
      "found none\nRun with --help for more information.");
  expect_failure(
      run_chorus({"genrate", "x"}), 2,
      "expected a command (generate, score, tokenize, detokenize, convert, inspect, serve, bench, "
      "completion), "
      "found \"genrate\"\nRun with --help for more information.");
  EXPECT_THAT(run_chorus({"--help"}).out, HasSubstr("Usage: chorus"));
  EXPECT_EQ(run_chorus({"--help"}).exit_code, 0);
  EXPECT_EQ(run_chorus({"generate", "--help"}).exit_code, 0);
}

}  // namespace
}  // namespace chorus::test
