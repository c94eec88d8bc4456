// `chorus score`: the log-probability of every token of a text.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cli/input.h"
#include "cli/json_lines.h"
#include "cli/model_source.h"
#include "cli/option_checks.h"
#include "cli/output.h"
#include "cli/text_input.h"
#include "core/error_text.h"
#include "json/text.h"

namespace chorus::cli {
namespace {

struct ScoreOptions {
  ModelOptions model;
  std::optional<std::string> text, file, ids;
  TextEncoding encoding;
  bool bos = false, special = false;
  std::int32_t stride = 0;
  bool as_json = false, lines = false;
  std::size_t parallel = kDefaultParallel;
};

bool has_context(const Score& score, std::size_t i) { return score.contexts[i] > 0; }

std::string to_json(const ScoreRequest& request, const Score& score) {
  std::vector<std::string> logprobs;
  for (std::size_t i = 0; i < request.ids.size(); ++i) {
    logprobs.push_back(has_context(score, i) ? json_number(score.logprobs[i]) : "null");
  }
  bool any = score.scored > 0;
  return fmt::format(R"({{"ids":{},"logprobs":{},"contexts":{},"loss":{},"perplexity":{}}})",
                     json_array(request.ids), json_array(logprobs), json_array(score.contexts),
                     any ? json_number(score.loss) : "null",
                     any ? json_number(std::exp(score.loss)) : "null");
}

// A line a token: its text (as JSON writes it, so that white space shows), probability, surprisal,
// and how many tokens it was given.
std::string to_table(const ScoreRequest& request, const Score& score, const Engine& engine) {
  std::string table = fmt::format("{:>7}  {:<20} {:>12} {:>10} {:>8}\n", "id", "token",
                                  "probability", "bits", "context");
  for (std::size_t i = 0; i < request.ids.size(); ++i) {
    std::string token = json_string(engine.decode(std::span(&request.ids[i], 1)));
    std::string values = fmt::format("{:>12} {:>10}", "-", "-");
    if (has_context(score, i)) {
      values = fmt::format("{:>12.6g} {:>10.4f}", std::exp(score.logprobs[i]),
                           std::abs(score.logprobs[i] / std::log(2.0)));
    }
    table +=
        fmt::format("{:>7}  {:<20} {} {:>8}\n", request.ids[i], token, values, score.contexts[i]);
  }
  if (score.scored > 0) {
    table += fmt::format("{} tokens scored, loss {:.6f} nats, perplexity {:.4f}\n", score.scored,
                         score.loss, std::exp(score.loss));
  }
  return table;
}

LineAnswer answer_line(const boost::json::object& line, const ScoreOptions& options,
                       Engine& engine) {
  JsonFields fields(line, kLineFields);
  ScoreRequest request{.ids = {}, .bos = options.bos, .stride = options.stride};
  std::string text;
  bool special = options.special;
  if (fields.has("text") == fields.has("ids")) {
    throw CommandFailed(fmt::format("expected a field text or a field ids, found {}",
                                    fields.has("ids") ? "both" : "neither"));
  }
  fields.read("text", text);
  fields.read("ids", request.ids);
  fields.read("bos", request.bos);
  fields.read("special", special);
  fields.read("stride", request.stride, 1);
  expect_no_error(fields);
  if (fields.has("text"))
    request.ids = value_or_fail(in_place(engine.encode(text, special), "text"));
  Score score = value_or_fail(engine.score(request));
  return {to_json(request, score), score.scored};
}

// What is to be scored, read before the model is loaded, so that a mistake is met at once.
struct ScoreInput {
  std::string name;  // for messages
  std::string text;
  std::vector<std::int32_t> ids;  // instead
};

ScoreInput read_input(const ScoreOptions& options) {
  ScoreInput input;
  input.name = options.ids ? "--ids" : options.file ? *options.file : "TEXT";
  if (options.file == "-" || options.text == "-") input.name = "standard input";
  if (options.ids) {
    input.ids = value_or_fail(in_place(parse_ids(*options.ids), input.name));
  } else {
    input.text = options.file ? read_text(*options.file, options.encoding)
                              : argument_or_input(*options.text, input.name, options.encoding);
  }
  if (input.text.empty() && input.ids.empty()) {
    throw CommandFailed(input.name + ": expected at least one token, found none");
  }
  return input;
}

ScoreRequest to_request(ScoreInput input, const ScoreOptions& options, const Engine& engine) {
  ScoreRequest request{.ids = std::move(input.ids), .bos = options.bos, .stride = options.stride};
  if (request.ids.empty()) {
    request.ids = value_or_fail(in_place(engine.encode(input.text, options.special), input.name));
  }
  return request;
}

LoadedEngine load(const ScoreOptions& options) {
  LoadedEngine loaded = load_engine(options.model);
  print_notes(loaded.engine->info().notes);
  fmt::print(stderr, "Loaded {} in {:.2f} s\n", describe(loaded.engine->info()), loaded.seconds);
  return loaded;
}

void run(const ScoreOptions& options) {
  int inputs = options.text.has_value() + options.file.has_value() + options.ids.has_value() +
               (options.lines ? 1 : 0);
  if (inputs != 1) {
    throw CLI::ValidationError(
        fmt::format("expected exactly one of TEXT, --file, --ids and --jsonl, found {}", inputs));
  }
  if (options.lines) {
    LoadedEngine loaded = load(options);
    answer_json_lines(std::cin, options.encoding, options.parallel,
                      [&](const boost::json::object& line) {
                        return answer_line(line, options, *loaded.engine);
                      });
    return;
  }
  ScoreInput input = read_input(options);
  LoadedEngine loaded = load(options);
  ScoreRequest request = to_request(std::move(input), options, *loaded.engine);
  Score score = value_or_fail(loaded.engine->score(request));
  write_output(options.as_json ? to_json(request, score) + "\n"
                               : to_table(request, score, *loaded.engine));
}

}  // namespace

void add_score(CLI::App& app) {
  auto options = std::make_shared<ScoreOptions>();
  CLI::App* command = app.add_subcommand(
      "score", "Give the log-probability of every token of a text, its loss and perplexity");
  // By functions, since CLI11 takes an empty string for no value of an optional.
  auto put = [](std::optional<std::string>& place) {
    return [&place](const std::string& text) { place = text; };
  };
  command
      ->add_option_function<std::string>("TEXT", put(options->text),
                                         "Text to score; - for standard input")
      ->type_name("");
  command
      ->add_option_function<std::string>("--file,-f", put(options->file),
                                         "File with the text; - for standard input")
      ->transform(not_empty("a path"))
      ->type_name("PATH");
  add_text_options(*command, options->encoding, "the text or the lines are");
  command->add_option_function<std::string>("--ids", put(options->ids), "The text as ids: 1,2,3")
      ->type_name("IDS");
  command->add_flag("--jsonl", options->lines,
                    "Read {\"text\": ...} or {\"ids\": [...]} a line from standard input (bos, "
                    "stride and special too), and print a result a line, in order; what is given "
                    "here is every line's default, and a bad line is answered with "
                    "{\"error\": ...}");
  command->add_flag(
      "--bos", options->bos,
      "Put the model's own beginning of a text (<|endoftext|>) in front, so that the first "
      "token is scored too");
  command->add_flag(
      "--special", options->special,
      "Take the names of special tokens in the text (<|endoftext|>) for the tokens, not for "
      "their letters");
  command
      ->add_option("--stride", options->stride,
                   "Tokens between the windows of a text over the block size; each token is "
                   "scored once (default: half the block size)")
      ->transform(whole_number(1))
      ->type_name("TOKENS");
  add_parallel_option(*command, options->parallel);
  add_model_options(*command, options->model);
  command->add_flag("--json", options->as_json,
                    "Print {\"ids\", \"logprobs\", \"contexts\", \"loss\", \"perplexity\"}; "
                    "logarithms are natural");
  command->footer(
      "Exactly one of TEXT, --file, --ids and --jsonl is read.\n"
      "Without --json: a table of token, probability, surprisal in bits, and how many tokens each "
      "was given.\n"
      "Example:\n"
      "  chorus score --bos \"The cat sat on the mat.\"");
  command->callback([options] { run(*options); });
}

}  // namespace chorus::cli
