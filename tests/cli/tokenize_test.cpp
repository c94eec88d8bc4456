// The commands as a user runs them; the ids themselves are tested with the tokenizer.
#include <gtest/gtest.h>

#include <string>

#include "support/run.h"

namespace chorus::test {
namespace {

using namespace std::string_literals;

std::string out_of(const RunResult& result) {
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  return result.out;
}

void expect_exit_1(const RunResult& result, const std::string& out, const std::string& err) {
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, out);
  EXPECT_EQ(result.err, "chorus: " + err + "\n");
}

TEST(TokenizeCommand, TakesTheArgumentOrElseStandardInputExactly) {
  EXPECT_EQ(out_of(run_chorus({"tokenize", "Hello, world"})), "15496 11 995\n");
  EXPECT_EQ(out_of(run_chorus({"tokenize"}, {.input = "Hello, world\n"})), "15496 11 995 198\n");
  EXPECT_EQ(out_of(run_chorus({"tokenize"}, {.input = "\0\r\n"s})), "188 201 198\n");
  EXPECT_EQ(out_of(run_chorus({"tokenize", ""}, {.input = "unread"})), "\n");
}

TEST(TokenizeCommand, JsonAndSpecial) {
  EXPECT_EQ(out_of(run_chorus({"tokenize", "--json", "Hello, world"})),
            "{\"ids\":[15496,11,995]}\n");
  EXPECT_EQ(out_of(run_chorus({"tokenize", "--json", ""})), "{\"ids\":[]}\n");
  EXPECT_EQ(out_of(run_chorus({"tokenize", "<|endoftext|>"})), "27 91 437 1659 5239 91 29\n");
  EXPECT_EQ(out_of(run_chorus({"tokenize", "--special", "<|endoftext|>"})), "50256\n");
}

TEST(TokenizeCommand, JsonlAnswersEachLineInOrder) {
  EXPECT_EQ(out_of(run_chorus({"tokenize", "--jsonl"},
                              {.input = "{\"text\": \"Hello\", \"else\": 1}\n{\"text\":\"\"}\r\n"
                                        "{\"text\": \"\\ud83e\\udd86\"}"})),
            "{\"ids\":[15496]}\n{\"ids\":[]}\n{\"ids\":[8582,99,228]}\n");
  EXPECT_EQ(out_of(run_chorus({"tokenize", "--jsonl"})), "");
}

TEST(TokenizeCommand, ABadLineIsAnsweredWithItsErrorAndTheOthersGoOn) {
  auto expect_error = [](const std::string& bad, const std::string& message) {
    RunResult result =
        run_chorus({"tokenize", "--jsonl"},
                   {.input = "{\"text\":\"Hello\"}\n\n" + bad + "\n{\"text\":\"Hello\"}\n"});
    expect_exit_1(result,
                  "{\"ids\":[15496]}\n{\"error\":{\"line\":3,\"message\":\"" + message +
                      "\"}}\n{\"ids\":[15496]}\n",
                  "1 of 3 requests failed: see \"error\" in their lines");
  };
  expect_error("[]", "expected a JSON object");
  expect_error("{}", "text: expected a string, found nothing");
  expect_error("{\"text\":7}", "text: expected a string, found 7");
  expect_error("{\"text\":\"\", \"special\":1}", "special: expected true or false, found 1");
  expect_error("{\"text\":\"", "bad JSON at byte 9: incomplete JSON");
  expect_error(
      "{\"text\":\"\xFF\"}",
      "the line: not utf-8 at byte 9 (0xff); --encoding latin-1, cp1252, utf-16 or another "
      "converts it, --replace-invalid reads U+FFFD there");
  expect_error("{\"text\":\"\\ud80\"}", "bad JSON at byte 14: expected hex digit");
  expect_error("{\"text\":1,\"text\":2}", "bad JSON: the key 'text' stands twice in one object");
}

TEST(TokenizeCommand, ALineMaySayWhetherItsSpecialTokenIsRecognised) {
  EXPECT_EQ(out_of(run_chorus({"tokenize", "--jsonl"},
                              {.input = R"({"text":"<|endoftext|>","special":true})"})),
            "{\"ids\":[50256]}\n");
  EXPECT_EQ(out_of(run_chorus({"tokenize", "--jsonl", "--special"},
                              {.input = R"({"text":"<|endoftext|>","special":false})"
                                        "\n"
                                        R"({"text":"<|endoftext|>"})"})),
            "{\"ids\":[27,91,437,1659,5239,91,29]}\n{\"ids\":[50256]}\n");
}

TEST(DetokenizeCommand, TakesIdsInAnyOfTheirWritings) {
  EXPECT_EQ(out_of(run_chorus({"detokenize", "15496", "11", "995"})), "Hello, world");
  EXPECT_EQ(out_of(run_chorus({"detokenize", "15496,11, 995"})), "Hello, world");
  EXPECT_EQ(out_of(run_chorus({"detokenize"}, {.input = "15496\n11,995\r\n"})), "Hello, world");
  EXPECT_EQ(out_of(run_chorus({"detokenize"})), "");
  EXPECT_EQ(out_of(run_chorus({"detokenize", "50256", "0"})), "<|endoftext|>!");
}

TEST(DetokenizeCommand, GivesTheExactBytesButWellFormedJson) {
  EXPECT_EQ(out_of(run_chorus({"detokenize", "447", "188"})), "\xE2\x80\0"s);
  EXPECT_EQ(out_of(run_chorus({"detokenize", "--json", "447", "188"})),
            "{\"text\":\"\xEF\xBF\xBD\\u0000\"}\n");
  EXPECT_EQ(out_of(run_chorus({"detokenize", "--jsonl"},
                              {.input = "{\"ids\":[15496,198]}\n{\"ids\":[447]}\n"})),
            "{\"text\":\"Hello\\n\"}\n{\"text\":\"\xEF\xBF\xBD\"}\n");
}

TEST(DetokenizeCommand, RefusesWhatIsNoIdByValue) {
  expect_exit_1(run_chorus({"detokenize", "11,50257"}), "",
                "id 50257 is not GPT-2's: expected 0 to 50256");
  expect_exit_1(run_chorus({"detokenize"}, {.input = "-1"}), "",
                "id -1 is not GPT-2's: expected 0 to 50256");
  for (std::string word : {"3x", "99999999999", "1.5", "+1"}) {
    expect_exit_1(run_chorus({"detokenize"}, {.input = "1 " + word}), "",
                  "\"" + word +
                      "\" is not an id: expected whole numbers of 32 bits, separated by commas or "
                      "spaces");
  }
  auto expect_error = [](const std::string& ids, const std::string& message) {
    expect_exit_1(run_chorus({"detokenize", "--jsonl"},
                             {.input = "{\"ids\":[11]}\n{\"ids\":" + ids + "}\n{\"ids\":[]}"}),
                  "{\"text\":\",\"}\n{\"error\":{\"line\":2,\"message\":\"" + message +
                      "\"}}\n{\"text\":\"\"}\n",
                  "1 of 3 requests failed: see \"error\" in their lines");
  };
  expect_error("[50257]", "id 50257 is not GPT-2's: expected 0 to 50256");
  expect_error("11", "ids: expected an array of token ids, found 11");
  std::pair<std::string, std::string> wrong[] = {
      {"1.5", "1.5"}, {"\"1\"", R"(\"1\")"}, {"null", "null"}, {"4294967297", "4294967297"}};
  for (const auto& [id, found] : wrong) {
    expect_error(
        "[11," + id + "]",
        "ids: expected an array of token ids, whole numbers of 32 bits; element 1 is " + found);
  }
}

TEST(TokenizeCommand, WhatWasTokenizedComesBack) {
  std::string text = "One\r\n\ttwo  \xF0\x9F\xA6\x86 three\n\n";
  std::string ids = out_of(run_chorus({"tokenize"}, {.input = text}));
  EXPECT_EQ(out_of(run_chorus({"detokenize"}, {.input = ids})), text);
}

// The ids are tiktoken's, of the string that Python's json reads.
TEST(TokenizeCommand, HalfACharacterIsTheReplacementCharacter) {
  RunResult result = run_chorus({"tokenize", "--jsonl"},
                                {.input = "{\"text\":\"a\\udbc0b\"}\n{\"text\":\"cut \\ud83d\"}\n"
                                          "{\"text\":\"\\ude00\\ud83d\"}\n"
                                          "{\"text\":\"\\ud83d\\ude00\"}\n"});
  EXPECT_EQ(out_of(result),
            "{\"ids\":[64,4210,65]}\n{\"ids\":[8968,20543]}\n{\"ids\":[6353]}\n"
            "{\"ids\":[47249,222]}\n");
}

TEST(TokenizeCommand, JsonlAndAnArgumentExcludeEachOther) {
  EXPECT_NE(run_chorus({"tokenize", "--jsonl", "text"}).exit_code, 0);
  EXPECT_NE(run_chorus({"detokenize", "--jsonl", "1"}).exit_code, 0);
}

TEST(TokenizeCommand, AFullDiskIsAnError) {
  RunResult result = run_chorus({"tokenize", "x"}, {.output_file = "/dev/full"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "chorus: standard output: No space left on device\n");
}

}  // namespace
}  // namespace chorus::test
