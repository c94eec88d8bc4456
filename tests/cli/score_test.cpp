// The command as a user runs it, with the embedded storyteller; that its numbers are PyTorch's is
// tested in tests/torch.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>
#include <sstream>

#include "support/run.h"
#include "support/scratch_folder.h"

namespace chorus::test {
namespace {

namespace json = boost::json;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Words = std::vector<std::string>;

const std::string kText = "The cat sat on the mat.";  // 464 3797 3332 319 262 2603 13

RunResult score(Words arguments, const RunOptions& options = {}) {
  arguments.insert(arguments.begin(), "score");
  return run_chorus(arguments, options);
}

json::object json_of(Words arguments, const RunOptions& options = {}) {
  arguments.push_back("--json");
  RunResult result = score(arguments, options);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return result.exit_code == 0 ? json::parse(result.out).as_object() : json::object();
}

std::vector<double> logprobs_of(const json::object& result) {
  std::vector<double> values;
  for (const json::value& value : result.at("logprobs").as_array()) {
    values.push_back(value.is_null() ? 1.0 : value.to_number<double>());
  }
  return values;
}

void expect_refusal(const RunResult& result, int exit_code, const std::string& message) {
  EXPECT_EQ(result.exit_code, exit_code) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("chorus: " + message + "\n"));
}

// More tokens than the storyteller's block of 1024: one for each word.
std::string long_text(int words) {
  std::string text = "The";
  const char* others[] = {" cat", " sat", " on", " the", " old", " tree"};
  for (int i = 1; i < words; ++i) text += others[i * i % 6];
  return text;
}

TEST(ScoreCommand, JsonHasTheLogprobsTheirMeanAndItsExponential) {
  json::object result = json_of({kText});
  Words keys;
  for (const auto& field : result) keys.emplace_back(field.key());
  EXPECT_EQ(keys,
            (Words{"ids", "tokens", "logprobs", "surprisals", "contexts", "loss", "perplexity"}));
  EXPECT_EQ(result.at("ids"), (json::value{464, 3797, 3332, 319, 262, 2603, 13}));
  EXPECT_EQ(result.at("contexts"), (json::value{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(result.at("logprobs").at(0).is_null());
  std::vector<double> logprobs = logprobs_of(result);
  double total = 0.0;
  for (std::size_t i = 1; i < logprobs.size(); ++i) {
    EXPECT_LT(logprobs[i], 0.0);
    total -= logprobs[i];
  }
  double loss = result.at("loss").to_number<double>();
  EXPECT_NEAR(loss, total / 6.0, 1e-12);
  EXPECT_NEAR(result.at("perplexity").to_number<double>(), std::exp(loss), 1e-9 * std::exp(loss));
}

TEST(ScoreCommand, BosGivesTheFirstTokenItsScoreToo) {
  json::object with = json_of({kText, "--bos"});
  json::object by_hand = json_of({"--special", "<|endoftext|>" + kText});
  EXPECT_EQ(with.at("ids").as_array().size(), 7u);
  EXPECT_EQ(with.at("contexts"), (json::value{1, 2, 3, 4, 5, 6, 7}));
  std::vector<double> logprobs = logprobs_of(by_hand);
  EXPECT_EQ(logprobs_of(with), std::vector<double>(logprobs.begin() + 1, logprobs.end()));
  EXPECT_EQ(with.at("loss"), by_hand.at("loss"));
}

TEST(ScoreCommand, EveryWayOfGivingTheTextIsTheSame) {
  ScratchFolder folder;
  std::string file = folder.write("text", kText);
  json::object expected = json_of({kText});
  EXPECT_EQ(json_of({"--file", file}), expected);
  EXPECT_EQ(json_of({"-f", "-"}, {.input = kText}), expected);
  EXPECT_EQ(json_of({"--file", "/dev/stdin"}, {.input = kText}), expected);
  EXPECT_EQ(json_of({"--ids", "464,3797,3332,319,262,2603,13"}), expected);
  RunResult line = score({"--jsonl"}, {.input = "{\"text\": \"" + kText + "\"}\n"});
  EXPECT_EQ(json::parse(line.out).as_object(), expected);
}

TEST(ScoreCommand, ExactlyOneTextIsTaken) {
  const std::string message =
      "expected exactly one of TEXT, --file, --ids, --lines, --csv, --tsv and --jsonl, found ";
  const std::string help = "\nRun with --help for more information.";
  expect_refusal(score({}), 2, message + "0" + help);
  expect_refusal(score({kText, "--ids", "1"}), 2, message + "2" + help);
  expect_refusal(score({"--file", "x", "--ids", "1", "--jsonl"}), 2, message + "3" + help);
  expect_refusal(score({"", "--jsonl"}), 2, message + "2" + help);
}

TEST(ScoreCommand, AnEmptyTextOrAWrongOneIsAnError) {
  ScratchFolder folder;
  std::string empty = folder.write("empty", "");
  expect_refusal(score({""}), 1, "TEXT: expected at least one token, found none");
  expect_refusal(score({"--ids", ""}), 1, "--ids: expected at least one token, found none");
  expect_refusal(score({"--file", empty}), 1, empty + ": expected at least one token, found none");
  expect_refusal(score({"--file", ""}), 2, "--file: expected a path, found an empty string");
  expect_refusal(score({"--file", "no/such"}), 1, "no/such: No such file or directory");
  expect_refusal(score({"--file", folder.path()}), 1, folder.path() + ": Is a directory");
  expect_refusal(score({"--ids", "1,2.5"}), 1,
                 "--ids: \"2.5\" is not an id: expected whole numbers of 32 bits, separated by "
                 "commas or spaces");
  expect_refusal(score({"--ids", "1,-2"}), 1,
                 "ids[1]: expected an id from 0 to 50303 (the model's vocabulary), found -2");
  expect_refusal(score({kText, "--stride", "0"}), 2,
                 "--stride: expected a whole number from 1 to 2147483647, found \"0\"");
  expect_refusal(score({kText, "--stride", "1025"}), 1,
                 "stride: expected 1 to 1024 (the model's block size), found 1025");
}

TEST(ScoreCommand, ALoneTokenHasNoLoss) {
  json::object result = json_of({"--ids", "464"});
  EXPECT_TRUE(result.at("loss").is_null());
  EXPECT_TRUE(result.at("perplexity").is_null());
  EXPECT_EQ(result.at("contexts"), (json::value{0}));
}

TEST(ScoreCommand, ATextOverTheBlockIsReadInWindowsThatSayTheirContext) {
  ScratchFolder folder;
  std::string file = folder.write("long", long_text(1150));
  for (std::size_t stride : {0u, 100u}) {
    Words arguments = {"--file", file};
    if (stride > 0) arguments.insert(arguments.end(), {"--stride", std::to_string(stride)});
    json::object result = json_of(arguments);
    std::size_t step = stride > 0 ? stride : 512;
    const json::array& contexts = result.at("contexts").as_array();
    ASSERT_EQ(contexts.size(), 1150u);
    for (std::size_t i = 0; i < contexts.size(); ++i) {
      EXPECT_EQ(contexts[i].to_number<std::size_t>(),
                i < 1024 ? i : 1024 - step + (i - 1024) % step)
          << i;
    }
    std::vector<double> logprobs = logprobs_of(result);
    double total = 0.0;
    for (std::size_t i = 1; i < logprobs.size(); ++i) {
      EXPECT_LT(logprobs[i], 0.0) << i;
      total -= logprobs[i];
    }
    EXPECT_NEAR(result.at("loss").to_number<double>(), total / 1149.0, 1e-9);
  }
}

TEST(ScoreCommand, TheTableShowsProbabilityBitsAndContext) {
  RunResult result = score({"The\ncat", "--bos"});  // three tokens
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, StartsWith("Loaded embedded storyteller ("));
  std::vector<double> logprobs = logprobs_of(json_of({"The\ncat", "--bos"}));
  std::istringstream table(result.out);
  std::string line;
  std::getline(table, line);
  EXPECT_THAT(line, ContainsRegex("^ *id  token +probability +bits +context$"));
  const char* tokens[] = {"\"The\"", "\"\\n\"", "\"cat\""};
  for (std::size_t i = 0; i < 3; ++i) {
    std::int32_t id = 0, context = 0;
    double probability = 0.0, bits = 0.0;
    std::string token;
    table >> id >> token >> probability >> bits >> context;
    EXPECT_EQ(token, tokens[i]);
    EXPECT_NEAR(probability, std::exp(logprobs[i]), 1e-5 * std::exp(logprobs[i]));
    EXPECT_NEAR(bits, -std::log2(std::exp(logprobs[i])), 1e-4);
    EXPECT_EQ(context, static_cast<std::int32_t>(i) + 1);
  }
  EXPECT_THAT(result.out, ContainsRegex("\n3 tokens scored, loss [0-9]+\\.[0-9]{6} nats, "
                                        "perplexity [0-9]+\\.[0-9]{4}\n$"));
  EXPECT_THAT(score({"The\ncat"}).out,
              ContainsRegex("\n +464  \"The\" +- +- +0\n"));  // no context, so no probability
}

TEST(ScoreCommand, LinesAreAnsweredInOrderAndABadOneCostsItselfOnly) {
  RunResult result = score({"--jsonl", "--bos"},
                           {.input = "{\"text\": \"The cat\"}\n{\"text\": \"a\", \"ids\": [1]}\n"
                                     "{\"ids\": [464, 3797], \"bos\": false, \"stride\": 7}\n"
                                     "{\"item\": [1, {\"a\": 2}], \"ids\": [1], \"strid\": 2}\n"
                                     "{\"ids\": [1.5]}\n{}\n"
                                     "{\"text\": \"<|endoftext|>\", \"special\": true}\n"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("chorus: 3 of 7 requests failed: "));
  std::vector<json::value> lines;
  std::istringstream in(result.out);
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
  ASSERT_EQ(lines.size(), 7u);
  EXPECT_EQ(lines[0].at("contexts"), (json::value{1, 2}));
  EXPECT_EQ(lines[2].at("contexts"), (json::value{0, 1}));
  EXPECT_EQ(lines[6].at("ids"), (json::value{50256}));
  auto error = [&](std::size_t i) {
    EXPECT_EQ(lines[i].at("error").at("line"), json::value(i + 1));
    return json::value_to<std::string>(lines[i].at("error").at("message"));
  };
  EXPECT_EQ(error(1), "expected a field text or a field ids, found both");
  EXPECT_THAT(json::serialize(lines[3]), StartsWith(R"({"item":[1,{"a":2}],"strid":2,"ids":[1],)"))
      << "what is no field of a request is handed on";
  EXPECT_EQ(error(4),
            "ids: expected an array of token ids, whole numbers of 32 bits; element 0 is 1.5");
  EXPECT_EQ(error(5), "expected a field text or a field ids, found neither");
}

TEST(ScoreCommand, WordsHaveTheirTokensSurprisal) {
  json::object leading = json_of({kText, "--bos", "--words", "--boundary", "leading"});
  const json::array& words = leading.at("words").as_array();
  ASSERT_EQ(words.size(), 6u);
  EXPECT_EQ(words[5].at("word"), "mat.");
  EXPECT_EQ(words[5].at("tokens"), (json::value{5, 7}));
  std::vector<double> logprobs = logprobs_of(leading);
  EXPECT_NEAR(words[5].at("logprob").to_number<double>(), logprobs[5] + logprobs[6], 1e-9);
  EXPECT_NEAR(words[5].at("surprisal").to_number<double>(),
              -(logprobs[5] + logprobs[6]) / std::log(2.0), 1e-9);
  EXPECT_EQ(leading.at("tokens").at(1), " cat");
  EXPECT_NEAR(leading.at("surprisals").at(1).to_number<double>(), -logprobs[1] / std::log(2.0),
              1e-9);

  json::object corrected = json_of({kText, "--bos", "--words"});
  EXPECT_EQ(corrected.at("logprobs"), leading.at("logprobs"));
  EXPECT_NE(corrected.at("words").at(0).at("logprob"), words[0].at("logprob"));
  EXPECT_FALSE(json_of({kText}).contains("words"));
  EXPECT_EQ(json_of({"\xF0\x9F\xA6\x89"}).at("tokens").at(0), "bytes:\\xf0\\x9f");

  RunResult table = score({kText, "--words"});
  EXPECT_THAT(table.out, ContainsRegex("\n\"The\" +- +- +1\n\"cat\" +[0-9.e-]+ +[0-9.]+ +1\n"));
  expect_refusal(score({kText, "--words", "--boundary", "x"}), 2,
                 "--boundary: x not in {corrected,leading}");
}

// A table as spreadsheets write it: a mark in front, quotation marks, other columns.
TEST(ScoreCommand, ATableGivesARowForEachWordWithTheOtherColumns) {
  ScratchFolder folder;
  std::string table = folder.write("items.csv",
                                   "\xEF\xBB\xBFitem,sentence,word\r\n7,\"The cat, he "
                                   "said.\",x\r\n8,\"A \"\"dog\"\"\",\"y,z\"\r\n");
  RunResult result = score({"--csv", table, "--column", "sentence", "--words", "--bos"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("row,item,word,position,chorus_word,tokens,surprisal\n"
                                     "1,7,x,1,The,1,"));
  EXPECT_THAT(result.out, ContainsRegex("\n1,7,x,2,\"cat,\",2,[0-9.]+\n"));
  EXPECT_THAT(result.out, ContainsRegex("\n2,8,\"y,z\",2,\"\"\"dog\"\"\",3,[0-9.]+\n$"));

  std::string tabs = folder.write("items.tsv", "id\ttext\na\tThe cat\n");
  EXPECT_THAT(score({"--csv", tabs, "--column", "text"}).out,
              ContainsRegex("^row\tid\tposition\ttoken\tid\tcontext|^row\tid\tposition\ttoken\t"
                            "chorus_id\tcontext\tsurprisal\n1\ta\t1\tThe\t464\t0\t\n1\ta\t2\t cat\t"
                            "3797\t1\t[0-9.]+\n$"));
  RunResult piped = score({"--tsv", "-", "--column", "text"}, {.input = "text\nThe cat\n"});
  EXPECT_THAT(piped.out, StartsWith("row\tposition\ttoken\tid\tcontext\tsurprisal\n1\t1\tThe\t"));
}

TEST(ScoreCommand, ABadTextOfATableCostsItselfAndABadTableIsNamed) {
  auto of = [](const std::string& table, const Words& more = {}) {
    Words arguments = {"--csv", "-", "--column", "text"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return score(arguments, {.input = table});
  };
  RunResult empty = of("id,text\n1,The cat\n2,\n3,A dog\n");
  EXPECT_EQ(empty.exit_code, 1);
  EXPECT_THAT(empty.err, HasSubstr("chorus: standard input: row 2 (line 3): the text is empty\n"));
  EXPECT_THAT(empty.err, HasSubstr("chorus: 1 of 3 requests failed: see above"));
  EXPECT_THAT(empty.out, ContainsRegex("\n3,3,2, dog,3290,1,[0-9.]+\n$"));

  RunResult ragged = of("id,text\n1,The cat\n2\n3,A cat, a dog\n4,A dog\n");
  EXPECT_EQ(ragged.exit_code, 1);
  EXPECT_THAT(ragged.err,
              HasSubstr("standard input: row 2 (line 3): expected 2 fields, found 1 ("));
  EXPECT_THAT(ragged.err,
              HasSubstr("standard input: row 3 (line 4): expected 2 fields, found 3 ("));
  EXPECT_THAT(ragged.err, HasSubstr("chorus: 2 of 4 requests failed: see above"));
  EXPECT_THAT(ragged.out, HasSubstr("\n1,1,2, cat,3797,1,"));
  EXPECT_THAT(ragged.out, ContainsRegex("\n4,4,2, dog,3290,1,[0-9.]+\n$")) << "and what is behind";
  EXPECT_THAT(ragged.out, Not(HasSubstr("\n3,")));
  EXPECT_THAT(of("a,b\n1,2\n").err,
              HasSubstr("expected a column 'text' (--column), found 'a', 'b'"));
  EXPECT_THAT(of("text,text\n").err, HasSubstr("two columns are called 'text'"));
  EXPECT_THAT(of("").err, HasSubstr("expected a table, found nothing"));
  EXPECT_THAT(of("text\n\"a\n").err, HasSubstr("line 2: a quotation mark is not closed"));
  EXPECT_THAT(of("text\n\xFF\n").err, HasSubstr("--encoding"));
  EXPECT_EQ(of("text\nf\xFCr\n", {"--encoding", "latin-1", "--words"}).exit_code, 0);
  EXPECT_EQ(of("text\na\n", {"--json"}).exit_code, 2);
  EXPECT_EQ(score({"--csv", "x"}).exit_code, 2);
  EXPECT_EQ(score({"a", "--column", "x"}).exit_code, 2);
}

TEST(ScoreCommand, ALineIsAText) {
  RunResult result =
      score({"--lines", "--words", "--bos"}, {.input = "\xEF\xBB\xBFThe cat\r\n \nA dog"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out,
              ContainsRegex("^line,position,word,tokens,surprisal\n1,1,The,1,[0-9.]+\n"
                            "1,2,cat,1,[0-9.]+\n3,1,A,1,[0-9.]+\n3,2,dog,1,[0-9.]+\n$"));
  ScratchFolder folder;
  std::string file = folder.write("texts.txt", "The cat\n");
  EXPECT_THAT(score({"--lines", "--file", file}).out, StartsWith("line,position,token,id,"));
}

// What a line carries is a key to somebody's table: not a digit may change.
TEST(ScoreCommand, OtherFieldsOfALineAreHandedOnAsTheyAreWritten) {
  const std::string others =
      R"("id": 9007199254740993,"a":1.10,"b":18446744073709551616,"c":1e400,"d":-0.0 , )"
      R"("e\u0301":"\u00e9\ud800","n":{"x":[1.50, {"y":"}"}],"z":null},"text ":true)";
  RunResult result = score({"--jsonl"}, {.input = "{" + others + R"(,"text":"The cat"})" + "\n" +
                                                  R"({"text":"The cat",)" + others + "}\n"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::string carried =
      R"({"id":9007199254740993,"a":1.10,"b":18446744073709551616,"c":1e400,"d":-0.0,)"
      R"("e\u0301":"\u00e9\ud800","n":{"x":[1.50, {"y":"}"}],"z":null},"text ":true,"ids":[464,3797],)";
  EXPECT_THAT(result.out, StartsWith(carried));
  EXPECT_THAT(result.out, HasSubstr("\n" + carried));
}

TEST(ScoreCommand, AFieldThatTheAnswerHasIsRefused) {
  RunResult result =
      score({"--jsonl"}, {.input = "{\"text\":\"a\",\"loss\":1}\n{\"text\":\"a\",\"error\":1}\n"
                                   "{\"text\":\"a\",\"words\":true,\"logprob\":1,\"ranks\":[]}\n"
                                   "{\"text\":\"a\",\"rank-and-entropy\":true,\"ranks\":1}\n"});
  EXPECT_THAT(result.err, HasSubstr("chorus: 3 of 4 requests failed"));
  EXPECT_THAT(result.out, HasSubstr("\"message\":\"loss: a field of the answer is called so"));
  EXPECT_THAT(result.out, HasSubstr("\"message\":\"error: a field of the answer is called so"));
  EXPECT_THAT(result.out, HasSubstr("\n{\"logprob\":1,\"ranks\":[],\"ids\":[64],"));
  EXPECT_THAT(result.out, HasSubstr("\"message\":\"ranks: a field of the answer is called so"));
}

TEST(ScoreCommand, AByteOrderMarkIsNeverAToken) {
  const std::string mark = "\xEF\xBB\xBF";
  RunResult lines = score({"--lines"}, {.input = mark + mark + "The cat\n" + mark + "The cat\n"});
  EXPECT_THAT(lines.out, ContainsRegex("\n1,1,The,464,0,\n1,2, cat,3797,1,[0-9.]+\n"
                                       "2,1,The,464,0,\n2,2, cat,3797,1,[0-9.]+\n$"));
  RunResult table = score({"--csv", "-", "--column", "text"},
                          {.input = mark + mark + "text,id\n" + mark + "The cat,1\n\"" + mark +
                                    "The cat\",2\n" + mark + "\"The cat\",3\n"});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, ContainsRegex("^row,id,position,token,chorus_id,"));
  EXPECT_THAT(table.out, ContainsRegex("\n1,1,1,The,464,0,\n1,1,2, cat,3797,"));
  EXPECT_THAT(table.out, ContainsRegex("\n2,2,1,The,464,0,\n"));
  EXPECT_THAT(table.out, ContainsRegex("\n3,3,1,The,464,0,\n"));
  RunResult json = score({"--jsonl"}, {.input = "{\"text\":\"" + mark + "The cat\"}\n"});
  EXPECT_THAT(json.out, StartsWith("{\"ids\":[464,3797],"));
  EXPECT_EQ(json_of({mark + mark + "The cat"}).at("ids"), (json::value{464, 3797}));
}

TEST(ScoreCommand, ATextOfWhiteSpaceAloneIsNamedWhicheverItIs) {
  const std::string nbsp = "\xC2\xA0", ideographic = "\xE3\x80\x80", mark = "\xEF\xBB\xBF";
  for (const char* mode : {"--words", "--rank-and-entropy"}) {
    RunResult result = score({"--csv", "-", "--column", "text", mode},
                             {.input = "text,id\n \t,1\n" + nbsp + ",2\n" + ideographic +
                                       " ,3\n\"" + mark + "\",4\n\"\n\",5\nok,6\n"});
    for (const char* row : {"1 (line 2)", "2 (line 3)", "3 (line 4)", "4 (line 5)", "5 (line 6)"}) {
      EXPECT_THAT(result.err,
                  HasSubstr("standard input: row " + std::string(row) + ": the text is empty\n"));
    }
    EXPECT_THAT(result.err, HasSubstr("chorus: 5 of 6 requests failed"));
    EXPECT_THAT(result.out, ContainsRegex("\n6,6,1,ok,"));
  }
  EXPECT_THAT(score({"--lines", "--words"}, {.input = nbsp + "\nok\n"}).out,
              ContainsRegex("^[a-z,]+\n2,1,ok,1,\n$"));
  EXPECT_THAT(score({"--jsonl"}, {.input = "{\"text\":\"\"}\n"}).out,
              HasSubstr("\"text: expected at least one token, found none\""));
}

// As R's write.csv has it.
TEST(ScoreCommand, AMissingValueIsNoText) {
  RunResult result = score({"--csv", "-", "--column", "text", "--words"},
                           {.input = "\"id\",\"text\"\n1,NA\n2,\"NA\"\n3,\"NA NA\"\nNA,\"a\"\n"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("row 1 (line 2): the text is NA, a missing value as R writes it"));
  EXPECT_THAT(result.err, HasSubstr("chorus: 1 of 4 requests failed"));
  EXPECT_EQ(result.out, "row,id,position,word,tokens,surprisal\n2,2,1,NA,1,\n3,3,1,NA,1,\n" +
                            result.out.substr(result.out.find("3,3,2,")));
  EXPECT_THAT(result.out, ContainsRegex("\n3,3,2,NA,1,[0-9.]+\n4,NA,1,a,1,\n$"));
}

TEST(ScoreCommand, AnotherSeparatorIsNamedAndTaken) {
  const Words asked = {"--csv", "-", "--column", "text", "--words"};
  auto with = [&](const Words& more, const std::string& table) {
    Words arguments = asked;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return score(arguments, {.input = table});
  };
  EXPECT_THAT(with({}, "text;rt\nThe cat;1,5\n").err,
              HasSubstr("found 'text;rt'; --separator ';' reads that between columns\n"));
  EXPECT_THAT(with({}, "text\trt\nThe cat\t1\n").err, HasSubstr("; --tsv reads tabs"));
  EXPECT_THAT(with({}, "texts,rt\n").err, HasSubstr("found 'texts', 'rt'\n"));
  RunResult result = with({"--separator", ";"}, "text;rt\n\"The; cat\";1,5\n");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, ContainsRegex("^row;rt;position;word;tokens;surprisal\n"
                                        "1;1,5;1;\"The;\";2;\n1;1,5;2;cat;1;[0-9.]+\n$"));
  for (const char* wrong : {"", ";;", "\"", "\n", "\xC3\xBC"}) {
    EXPECT_EQ(with({"--separator", wrong}, "").exit_code, 2) << wrong;
  }
  EXPECT_THAT(score({"a", "--separator", ";"}).err,
              HasSubstr("--separator: expected --csv beside it"));
}

TEST(ScoreCommand, ReadingInWindowsIsSaid) {
  const std::string note =
      "1024 tokens are more than the model's block of 1024: read in windows (--stride)\n";
  RunResult table = score({"--csv", "-", "--column", "text", "--words", "--bos"},
                          {.input = "text\nThe cat\n" + long_text(1024) + "\n"});
  EXPECT_THAT(table.err, HasSubstr("chorus: note: standard input: row 2 (line 3): " + note));
  EXPECT_THAT(table.err, testing::Not(HasSubstr("row 1")));
  EXPECT_THAT(score({long_text(1024), "--words", "--bos"}).err,
              HasSubstr("chorus: note: TEXT: " + note));
  EXPECT_THAT(score({long_text(1024), "--words"}).err, testing::Not(HasSubstr("windows")));
}

TEST(ScoreCommand, AMissingColumnIsNamedAsItIsWritten) {
  std::string wide = "a";
  for (int i = 0; i < 100; ++i) wide += ",c" + std::to_string(i);
  EXPECT_THAT(
      score({"--csv", "-", "--column", "s\xC3\xA4tze"}, {.input = "\xE5\x8F\xA5,b\n"}).err,
      HasSubstr("expected a column 's\xC3\xA4tze' (--column), found '\xE5\x8F\xA5', 'b'\n"));
  EXPECT_THAT(score({"--csv", "-", "--column", "x"}, {.input = wide + "\n"}).err,
              HasSubstr("'c27', 'c28' and 71 more\n"));
}

TEST(ScoreCommand, LinesEndAsInAnyFile) {
  RunResult result = score({"--lines", "--words"}, {.input = "a\rb\r\n\r\nc\n\rd"});
  EXPECT_EQ(result.out,
            "line,position,word,tokens,surprisal\n1,1,a,1,\n2,1,b,1,\n4,1,c,1,\n6,1,d,1,\n");
  RunResult wide = score({"--lines"}, {.input = std::string("a\0 \0b\0\n\0", 8)});
  EXPECT_EQ(wide.exit_code, 1);
  EXPECT_THAT(wide.err, HasSubstr("not utf-8: every other byte is zero, as in utf-16le; --encoding "
                                  "utf-16le converts it\n"));
}

TEST(ScoreCommand, AFullDiskIsAnError) {
  for (const char* mode : {"--json", "--bos"}) {
    RunResult result = score({kText, mode}, {.output_file = "/dev/full"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("chorus: standard output: No space left on device\n"));
  }
}

}  // namespace
}  // namespace chorus::test
