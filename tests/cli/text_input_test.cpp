// Text as the commands take it, by the program as a user runs it: arguments, files, standard input
// and lines, of generate, score and tokenize alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>
#include <vector>

#include "support/run.h"
#include "support/scratch_folder.h"

namespace chorus::test {
namespace {

using namespace std::string_literals;
namespace json = boost::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Arguments = std::vector<std::string>;

const std::string kLatin = "Caf\xe9 na\xefve", kWide = "\xff\xfeH\0e\0y\0"s;
const Arguments kShort = {"--seed", "1", "--max-new-tokens", "3"};

RunResult run_with(Arguments arguments, const Arguments& more, const std::string& input = "") {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_chorus(arguments, {.input = input});
}

// The prompt that `generate` took, or its error.
std::string prompt_of(const Arguments& more, const std::string& input = "") {
  RunResult result =
      run_with({"generate", "--json", "--seed", "1", "--max-new-tokens", "1"}, more, input);
  if (result.exit_code != 0) return result.err;
  std::string ids;
  json::value answer = json::parse(result.out);
  for (const json::value& id : answer.at("prompt_tokens").as_array())
    ids += json::serialize(id) + " ";
  return run_chorus({"detokenize", ids}).out;
}

void expect_no_utf8(const RunResult& result, const std::string& place) {
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err,
              HasSubstr("chorus: " + place + ": not utf-8 at byte 3 (0xe9); --encoding "));
  EXPECT_THAT(result.err, HasSubstr("--replace-invalid"));
}

TEST(TextInput, WhatIsNoUtf8IsRefusedWhereverItIs) {
  ScratchFolder folder;
  std::string file = folder.write("latin.txt", kLatin);
  expect_no_utf8(run_with({"tokenize"}, {kLatin}), "TEXT");
  expect_no_utf8(run_with({"tokenize"}, {}, kLatin), "standard input");
  expect_no_utf8(run_with({"tokenize"}, {"-"}, kLatin), "standard input");
  expect_no_utf8(run_with({"score"}, {kLatin}), "TEXT");
  expect_no_utf8(run_with({"score"}, {"-"}, kLatin), "standard input");
  expect_no_utf8(run_with({"score"}, {"--file", "-"}, kLatin), "standard input");
  expect_no_utf8(run_with({"score"}, {"--file", file}), file);
  expect_no_utf8(run_with({"generate"}, {kLatin}), "PROMPT");
  expect_no_utf8(run_with({"generate"}, {}, kLatin), "standard input");
  expect_no_utf8(run_with({"generate"}, {"-"}, kLatin), "standard input");
  expect_no_utf8(run_with({"generate"}, {"--prompt-file", file}), file);
  RunResult stop = run_with({"generate"}, {"a", "--stop", "\xff"});
  EXPECT_EQ(stop.exit_code, 1);
  EXPECT_THAT(stop.err, HasSubstr("--stop: not utf-8 at byte 0 (0xff); --replace-invalid"));
}

TEST(TextInput, AnEncodingIsConvertedWhereverItIs) {
  ScratchFolder folder;
  std::string latin = folder.write("latin.txt", kLatin), wide = folder.write("wide.txt", kWide);
  const std::string ids = "34 1878 2634 41492\n";  // tiktoken's
  EXPECT_EQ(run_with({"tokenize"}, {kLatin, "--encoding", "latin-1"}).out, ids);
  EXPECT_EQ(run_with({"tokenize"}, {"--encoding", "latin-1"}, kLatin).out, ids);
  EXPECT_EQ(run_with({"tokenize"}, {"--encoding", "utf-16"}, kWide).out, "10814\n");
  auto scored = [](const Arguments& more) {
    return json::parse(run_with({"score", "--json"}, more).out).at("ids");
  };
  EXPECT_EQ(scored({"--file", latin, "--encoding", "iso-8859-1"}),
            (json::value{34, 1878, 2634, 41492}));
  EXPECT_EQ(scored({"--file", wide, "--encoding", "utf-16"}), (json::value{10814}));
  EXPECT_EQ(prompt_of({"--prompt-file", latin, "--encoding", "latin-1"}), "Caf\u00e9 na\u00efve");
  EXPECT_EQ(prompt_of({"--encoding", "utf-16"}, kWide), "Hey");
  RunResult unknown = run_with({"tokenize"}, {"a", "--encoding", "klingon"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err,
              HasSubstr("--encoding: expected an encoding that iconv knows, as utf-16, "
                        "latin-1 or cp1252, found 'klingon'"));
}

TEST(TextInput, ByteOrderMarksAreTakenOffOrNamed) {
  EXPECT_EQ(run_with({"tokenize"}, {}, "\xEF\xBB\xBFHello").out, "15496\n");
  EXPECT_EQ(run_with({"tokenize"}, {"\xEF\xBB\xBFHello"}).out, "15496\n");
  EXPECT_EQ(prompt_of({}, "\xEF\xBB\xBFHello"), "Hello");
  EXPECT_EQ(run_with({"tokenize", "--jsonl"}, {}, "\xEF\xBB\xBF{\"text\":\"Hello\"}\n").out,
            "{\"ids\":[15496]}\n");
  RunResult wide = run_with({"score"}, {"-"}, kWide);
  EXPECT_EQ(wide.exit_code, 1);
  EXPECT_THAT(
      wide.err,
      HasSubstr("begins with the byte order mark of utf-16; --encoding utf-16 converts it"));
}

TEST(TextInput, LinesAreText) {
  const std::string lines = "{\"text\":\"caf\xe9\"}\n{\"text\":\"b\"}\n";
  RunResult refused = run_with({"tokenize", "--jsonl"}, {}, lines);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(
      refused.out,
      StartsWith("{\"error\":{\"line\":1,\"message\":\"the line: not utf-8 at byte 12 (0xe9); "));
  EXPECT_THAT(refused.out, HasSubstr("\n{\"ids\":[65]}\n"));
  EXPECT_EQ(run_with({"tokenize", "--jsonl"}, {"--encoding", "latin-1"}, lines).out,
            "{\"ids\":[66,1878,2634]}\n{\"ids\":[65]}\n");
  EXPECT_EQ(run_with({"tokenize", "--jsonl"}, {"--replace-invalid"}, lines).out,
            "{\"ids\":[66,1878,4210]}\n{\"ids\":[65]}\n");
  std::string wide = "\xff\xfe";
  for (char c : "{\"text\":\"b\"}\n\n{\"text\":\"\"}"s) wide += {c, '\0'};
  EXPECT_EQ(run_with({"tokenize", "--jsonl"}, {"--encoding", "utf-16"}, wide).out,
            "{\"ids\":[65]}\n{\"ids\":[]}\n");
  RunResult score = run_with({"score", "--jsonl"}, {"--replace-invalid"}, "{\"text\":\"a\xff\"}\n");
  EXPECT_THAT(score.out, StartsWith("{\"ids\":[64,4210],"));
  RunResult generate =
      run_with({"generate", "--jsonl"}, {"--encoding", "latin-1", "--max-new-tokens", "1"},
               "{\"prompt\":\"\xe9\"}");
  EXPECT_THAT(generate.out, HasSubstr("\"prompt_tokens\":[2634]"));
}

TEST(TextInput, HalfACharacterInALineIsTheReplacementCharacter) {
  RunResult scored = run_with({"score", "--jsonl"}, {}, R"({"text":"cut \ud83d"})");
  EXPECT_THAT(scored.out, StartsWith("{\"ids\":[8968,20543],"));
  RunResult generated = run_with({"generate", "--jsonl"}, kShort, R"({"prompt":"a\udbc0b"})");
  EXPECT_THAT(generated.out, HasSubstr("\"prompt_tokens\":[64,4210,65]"));
}

TEST(TextInput, GenerateReadsItsPromptFromStandardInput) {
  EXPECT_EQ(prompt_of({}, "Once upon\n"), "Once upon\n");
  EXPECT_EQ(prompt_of({"-"}, "Once upon\n"), "Once upon\n");
  EXPECT_EQ(prompt_of({"--prompt-file", "-"}, "Once upon"), "Once upon");
  EXPECT_EQ(prompt_of({}), "<|endoftext|>");  // an empty file: the start of a text
  EXPECT_EQ(prompt_of({""}, "unread"), "<|endoftext|>");
  EXPECT_EQ(prompt_of({"given"}, "unread"), "given");
  EXPECT_EQ(prompt_of({"--prompt-ids", "10814"}, "unread"), "Hey");
  RunResult said = run_with({"generate"}, kShort, "Once");
  EXPECT_THAT(said.err, HasSubstr("Reading the prompt from standard input\n"));
  EXPECT_THAT(run_with({"generate", "Once"}, kShort).err, Not(HasSubstr("Reading")));
}

TEST(TextInput, APromptStandsInOnePlace) {
  ScratchFolder folder;
  std::string file = folder.write("prompt", "Hey\n");
  EXPECT_EQ(prompt_of({"--prompt-file", file}), "Hey\n");
  EXPECT_THAT(prompt_of({"--prompt-file", folder.file("none")}), HasSubstr("No such file"));
  EXPECT_EQ(run_with({"generate", "a"}, {"--prompt-file", file}).exit_code, 2);
  EXPECT_EQ(run_with({"generate", "--prompt-ids", "1"}, {"--prompt-file", file}).exit_code, 2);
  for (const Arguments& wrong : {Arguments{"-"}, Arguments{"--prompt-file", "-"}}) {
    RunResult both = run_with({"generate", "--jsonl"}, wrong, "{}");
    EXPECT_EQ(both.exit_code, 1);
    EXPECT_THAT(both.err, HasSubstr("found - for standard input, which --jsonl reads"));
  }
  RunResult lines = run_with({"generate", "--jsonl", "--prompt-file", file}, kShort, "{}\n");
  EXPECT_THAT(lines.out, HasSubstr("\"text\":\"Hey\\n"));  // every line's default
}

TEST(TextInput, StandardInputThatCannotBeReadIsAnError) {
  for (const Arguments& command :
       {Arguments{"tokenize"}, Arguments{"tokenize", "--jsonl"}, Arguments{"detokenize", "-"},
        Arguments{"score", "-"}, Arguments{"generate", "-"}}) {
    RunOptions options;
    options.input_file = "/";
    RunResult result = run_chorus(command, options);
    EXPECT_EQ(result.exit_code, 1) << command[0];
    EXPECT_THAT(result.err, HasSubstr("chorus: standard input: ")) << command[0];
  }
  RunOptions nothing;
  nothing.input_file = "/dev/null";  // not piped: the start of a text, without a word
  EXPECT_THAT(run_chorus({"generate", "--max-new-tokens", "1"}, nothing).err,
              Not(HasSubstr("Reading")));
}

TEST(TextInput, DetokenizeReadsStandardInputForADash) {
  EXPECT_EQ(run_with({"detokenize"}, {"-"}, "15496 11").out, "Hello,");
}

TEST(TextInput, NewTokensAreCountedWithoutThePrompt) {
  RunResult result = run_with({"generate", "--json", "--prompt-ids", "7454,2402,257"}, kShort);
  EXPECT_EQ(json::parse(result.out).at("tokens").as_array().size(), 6u);
  RunResult both = run_with({"generate", "a"}, {"--max-length", "9", "--max-new-tokens", "5"});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.err, HasSubstr("--max-new-tokens"));
  RunResult line = run_with({"generate", "--jsonl", "--max-length", "50"}, {},
                            R"({"prompt_ids":[7454,2402],"max_new_tokens":2,"seed":1})");
  EXPECT_EQ(json::parse(line.out).at("tokens").as_array().size(), 4u);
}

TEST(TextInput, ALongPromptSaysWhichOptionHelps) {
  std::string words;
  for (int i = 0; i < 150; ++i) words += " word";
  EXPECT_EQ(prompt_of({}, words), words);
  RunResult result = run_with({"generate"}, {}, words);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("chorus: prompt: expected at most 100 tokens (the default length of "
                        "prompt and result together), found 150; give --max-length or "
                        "--max-new-tokens\n"));
}

}  // namespace
}  // namespace chorus::test
