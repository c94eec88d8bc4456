// `chorus score`: the log-probability of every token of texts, and of their words.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cli/input.h"
#include "cli/json_lines.h"
#include "cli/model_source.h"
#include "cli/option_checks.h"
#include "cli/output.h"
#include "cli/score_output.h"
#include "cli/score_rows.h"
#include "cli/text_input.h"
#include "core/error_text.h"
#include "core/printable.h"
#include "engine/score_text.h"
#include "json/members.h"
#include "json/text.h"

namespace chorus::cli {
namespace {

struct ScoreOptions {
  ModelOptions model;
  std::optional<std::string> text, file, ids, csv, tsv, column;
  std::optional<char> separator;
  TextEncoding encoding;
  bool bos = false, special = false;
  std::int32_t stride = 0;
  ScoreForm form;
  bool as_json = false, json_lines = false, lines = false;
  std::size_t parallel = kDefaultParallel;
};

ScoredText score_ids(ScoreRequest request, const ScoreForm& form, Engine& engine) {
  request.boundaries = form.needs_boundaries();
  request.rank_and_entropy = form.rank_and_entropy;
  Score score = value_or_fail(engine.score(request));
  return {std::move(request.ids), std::move(score)};
}

// What a line's own fields are called; all others are handed on.
constexpr std::string_view kKnownFields[] = {"text",   "ids",   "bos",      "special",
                                             "stride", "words", "boundary", "rank_and_entropy"};

// The fields of a line that are not about its score, as they stand in its text, each with a comma behind it.
// `answer`: the object that they are put into.
std::string carried_fields(const boost::json::object& line, std::string_view text,
                           std::string_view answer) {
  std::string carried;
  std::vector<JsonMember> own = json_members(answer);
  std::vector<JsonMember> members = json_members(text);
  auto member = members.begin();
  for (const auto& field : line) {  // in the order of `members`
    std::string_view name = field.key();
    const JsonMember& written = *member++;
    std::string option(name);  // under which it is read
    std::ranges::replace(option, '-', '_');
    if (std::ranges::find(kKnownFields, option) != std::end(kKnownFields)) continue;
    std::string key = json_string(name);
    bool is_taken = std::ranges::find(own, key, &JsonMember::name) != own.end();
    if (is_taken || name == "error") {
      throw CommandFailed(
          fmt::format("{}: a field of the answer is called so: expected another name", name));
    }
    carried += fmt::format("{}:{},", written.name, written.value);
  }
  return carried;
}

LineAnswer answer_line(const boost::json::object& line, std::string_view line_text,
                       const ScoreOptions& options, Engine& engine) {
  JsonFields fields(line, kRecordFields);
  ScoreRequest request{.ids = {}, .bos = options.bos, .stride = options.stride};
  ScoreForm form = options.form;
  std::string text, boundary;
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
  fields.read("words", form.words);
  fields.read("rank_and_entropy", form.rank_and_entropy);
  fields.read("boundary", boundary);
  expect_no_error(fields);
  if (!boundary.empty()) form.boundary = value_or_fail(parse_word_boundary(boundary));
  if (fields.has("text")) {
    request.ids = value_or_fail(in_place(encode_to_score(engine, text, special), "text"));
    if (request.ids.empty()) throw CommandFailed("text: expected at least one token, found none");
  }
  ScoredText scored = score_ids(std::move(request), form, engine);
  std::string own = score_fields(scored, form, engine);
  return {"{" + carried_fields(line, line_text, "{" + own + "}") + own + "}", scored.score.scored};
}

// One that can stand between columns, as a quotation mark and a line's end cannot.
CLI::Validator one_character() {
  return CLI::Validator(
      [](const std::string& text) {
        bool fits = text.size() == 1 && static_cast<unsigned char>(text[0]) < 0x80 &&
                    text[0] != '"' && text[0] != '\r' && text[0] != '\n';
        return fits ? std::string() : "expected one character, as ';', found " + in_quotes(text);
      },
      "");
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
    request.ids =
        value_or_fail(in_place(encode_to_score(engine, input.text, options.special), input.name));
  }
  return request;
}

LoadedEngine load(const ScoreOptions& options) {
  LoadedEngine loaded = load_engine(options.model);
  print_notes(loaded.engine->info().notes);
  fmt::print(stderr, "Loaded {} in {:.2f} s\n", describe(loaded.engine->info()), loaded.seconds);
  return loaded;
}

// A text's score, for those that come many at a time.
ScoreText text_scorer(const ScoreOptions& options, Engine& engine) {
  return [&options, &engine](const std::string& text) {
    ScoreRequest request{.ids = value_or_fail(encode_to_score(engine, text, options.special)),
                         .bos = options.bos,
                         .stride = options.stride};
    return score_ids(std::move(request), options.form, engine);
  };
}

char separator_of(const ScoreOptions& options, const std::string& path) {
  if (options.separator) return *options.separator;
  return options.tsv || path.ends_with(".tsv") ? '\t' : ',';
}

void run_csv(const ScoreOptions& options) {
  const std::string& path = options.csv ? *options.csv : *options.tsv;
  if (!options.column) {
    throw CLI::ValidationError(
        "--column: expected the name of the column with the texts, found none");
  }
  TextTable table{.name = path == "-" ? "standard input" : path,
                  .text = read_text(path, options.encoding),
                  .separator = separator_of(options, path),
                  .column = *options.column};
  LoadedEngine loaded = load(options);
  score_csv(table, options.form, *loaded.engine, options.parallel,
            text_scorer(options, *loaded.engine));
}

void run_lines(const ScoreOptions& options) {
  std::string path = options.file.value_or("-");
  std::string name = path == "-" ? "standard input" : path;
  std::string text = read_text(path, options.encoding);
  LoadedEngine loaded = load(options);
  score_lines(name, text, options.form, *loaded.engine, options.parallel,
              text_scorer(options, *loaded.engine));
}

void run_json_lines(const ScoreOptions& options) {
  LoadedEngine loaded = load(options);
  answer_json_lines(std::cin, options.encoding, options.parallel,
                    [&](const boost::json::object& line, std::string_view text) {
                      return answer_line(line, text, options, *loaded.engine);
                    });
}

void run_text(const ScoreOptions& options) {
  ScoreInput input = read_input(options);
  LoadedEngine loaded = load(options);
  std::string name = input.name;
  ScoreRequest request = to_request(std::move(input), options, *loaded.engine);
  ScoredText scored = score_ids(std::move(request), options.form, *loaded.engine);
  print_windows(name, scored, *loaded.engine);
  write_output(options.as_json ? "{" + score_fields(scored, options.form, *loaded.engine) + "}\n"
                               : score_table(scored, options.form, *loaded.engine));
}

void check_inputs(const ScoreOptions& options) {
  bool is_file = options.file && !options.lines;  // --lines says what a file is
  int inputs = options.text.has_value() + is_file + options.ids.has_value() +
               options.csv.has_value() + options.tsv.has_value() + (options.json_lines ? 1 : 0) +
               (options.lines ? 1 : 0);
  if (inputs != 1) {
    throw CLI::ValidationError(fmt::format(
        "expected exactly one of TEXT, --file, --ids, --lines, --csv, --tsv and --jsonl, found {}",
        inputs));
  }
  if (options.as_json && (options.lines || options.csv || options.tsv)) {
    throw CLI::ValidationError(
        "--json: --lines, --csv and --tsv write a table; --jsonl reads and writes JSON");
  }
  if (options.separator && !options.csv) {
    throw CLI::ValidationError("--separator: expected --csv beside it, found none");
  }
  if (options.column && !options.csv && !options.tsv) {
    throw CLI::ValidationError("--column: expected --csv or --tsv beside it, found neither");
  }
}

void run(const ScoreOptions& options) {
  check_inputs(options);
  if (options.csv || options.tsv) {
    run_csv(options);
  } else if (options.lines) {
    run_lines(options);
  } else if (options.json_lines) {
    run_json_lines(options);
  } else {
    run_text(options);
  }
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
  auto add_table = [&](const char* name, std::optional<std::string>& place, const char* help) {
    command->add_option_function<std::string>(name, put(place), help)
        ->transform(not_empty("a path"))
        ->type_name("PATH");
  };
  add_table("--csv", options->csv,
            "Table with a text in each row, columns named by its first (tabs between them in a "
            ".tsv); - for standard input. A row out for each token or word: the text's row, the "
            "other columns, and what was found");
  add_table("--tsv", options->tsv, "The same with tabs between columns, whatever its name");
  command
      ->add_option_function<std::string>("--column", put(options->column),
                                         "Name of the column with the texts")
      ->type_name("NAME");
  command
      ->add_option_function<std::string>(
          "--separator",
          [place = &options->separator](const std::string& text) { *place = text[0]; },
          "What stands between the columns of --csv, in and out (default: a comma, in a .tsv a "
          "tab; ';' in files of spreadsheets that write a decimal comma)")
      ->check(one_character())
      ->type_name("CHARACTER");
  command->add_flag("--lines", options->lines,
                    "A text a line, of --file or standard input; a table out, as --csv gives it");
  add_text_options(*command, options->encoding, "the text or the lines are");
  command->add_option_function<std::string>("--ids", put(options->ids), "The text as ids: 1,2,3")
      ->type_name("IDS");
  command->add_flag("--words", options->form.words,
                    "Surprisal of words: what stands between white space, with its punctuation");
  command
      ->add_option_function<std::string>(
          "--boundary",
          [form = &options->form](const std::string& name) {
            form->boundary = value_or_fail(parse_word_boundary(name));
          },
          "Where a word ends: corrected, with the probability that it ends where it does (Pimentel "
          "and Meister 2024), or leading, its tokens' with the white space in front (default: "
          "corrected)")
      ->check(CLI::IsMember({"corrected", "leading"}))
      ->type_name("WHERE");
  command->add_flag(
      "--rank-and-entropy", options->form.rank_and_entropy,
      "Each token's rank (1: the likeliest) and the entropy, in bits, of what could have "
      "stood there, too");
  command->add_flag(
      "--jsonl", options->json_lines,
      "Read {\"text\": ...} or {\"ids\": [...]} a line from standard input (bos, "
      "stride, special, words, boundary and rank_and_entropy too), and print a result a line, in "
      "order, "
      "with the line's other fields; what is given here is every line's default, and a "
      "bad line is answered with {\"error\": ...}");
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
                    "Print {\"ids\", \"tokens\", \"logprobs\", \"surprisals\", \"contexts\", "
                    "\"loss\", \"perplexity\"} and \"words\"; logarithms are natural, surprisals "
                    "in bits");
  command->footer(
      "Exactly one of TEXT, --file, --ids, --lines, --csv, --tsv and --jsonl is read.\n"
      "Without --json: a table of token, probability, surprisal in bits, and how many tokens each "
      "was given.\n"
      "Examples:\n"
      "  chorus score --bos \"The cat sat on the mat.\"\n"
      "  chorus score --bos --words --csv items.csv --column sentence > surprisal.csv");
  command->callback([options] { run(*options); });
}

}  // namespace chorus::cli
