// `chorus tokenize` and `chorus detokenize`: text to ids and back, by GPT-2's tokenizer or any other,
// which needs no model.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <iostream>
#include <memory>

#include "checkpoint/model_tokenizer.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/json_lines.h"
#include "cli/model_source.h"
#include "cli/option_checks.h"
#include "cli/output.h"
#include "cli/text_input.h"
#include "json/text.h"
#include "tokenizer/tokenizer.h"

namespace chorus::cli {
namespace {

using tokenizer::Special;
using tokenizer::Tokenizer;
namespace json = boost::json;

struct TokenizeOptions {
  std::string model;                     // whose tokenizer it is
  std::optional<std::string> tokenizer;  // instead
  std::string text = "-";                // tokenize; "-": standard input
  TextEncoding encoding;
  std::vector<std::string> ids = {"-"};  // detokenize
  bool as_json = false;
  bool lines = false;
  bool special = false;
};

std::string ids_as_json(const std::vector<std::int32_t>& ids) {
  return "{\"ids\":" + json_array(ids) + "}";
}

std::string text_as_json(const std::string& bytes) {
  return "{\"text\":" + json_string(bytes) + "}";
}

// Whose ids they are.
struct Ids {
  std::shared_ptr<const Tokenizer> tokenizer;  // null: ids have no text
  std::string no_tokenizer;                    // why
  std::int32_t count = 0;                      // from 0 on

  std::vector<std::int32_t> encode(std::string_view text, bool special) const {
    if (tokenizer == nullptr) throw CommandFailed(no_tokenizer);
    return value_or_fail(tokenizer->encode(text, special ? Special::kRecognise : Special::kAsText));
  }

  std::string decode(const std::vector<std::int32_t>& ids) const {
    bool is_gpt2 = tokenizer == Tokenizer::gpt2() && count == tokenizer->size();
    std::string text;
    for (std::int32_t id : ids) {
      if (id < 0 || id >= count) {
        throw CommandFailed(fmt::format("id {} is not {}: expected 0 to {}", id,
                                        is_gpt2 ? "GPT-2's" : "the tokenizer's", count - 1));
      }
      text += tokenizer::text_of(tokenizer.get(), id);
    }
    return text;
  }
};

Ids choose_ids(const TokenizeOptions& options) {
  if (!options.model.empty()) {
    checkpoint::Checkpoint model =
        value_or_fail(open_model(options.model, {.n_head = {}, .tokenizer = options.tokenizer}));
    print_notes(model.notes);
    return {model.tokenizer, model.no_tokenizer,
            static_cast<std::int32_t>(model.config.vocab_size)};
  }
  auto read = value_or_fail(checkpoint::read_tokenizer(options.tokenizer.value_or("gpt2")));
  print_notes(read.notes);
  std::int32_t count = read.tokenizer->size();
  return {std::move(read.tokenizer), {}, count};
}

// Fields that mean nothing here are let pass: the lines may be records of a corpus.
std::string tokenize_line(const json::object& line, bool special, const Ids& ids) {
  JsonFields fields(line, kRecordFields);
  std::string text;
  fields.require("text", "a string");
  fields.read("text", text);
  fields.read("special", special);
  expect_no_error(fields);
  return ids_as_json(ids.encode(text, special));
}

void run_tokenize(const TokenizeOptions& options) {
  Ids known = choose_ids(options);
  if (options.lines) {
    answer_json_lines(std::cin, options.encoding, 1,
                      [&](const json::object& line, std::string_view) -> LineAnswer {
                        return {.json = tokenize_line(line, options.special, known)};
                      });
    return;
  }
  std::string text = argument_or_input(options.text, "TEXT", options.encoding);
  std::vector<std::int32_t> ids = known.encode(text, options.special);
  write_output(options.as_json ? ids_as_json(ids) + "\n"
                               : fmt::format("{}\n", fmt::join(ids, " ")));
}

std::string detokenize_line(const json::object& line, const Ids& known) {
  JsonFields fields(line, kRecordFields);
  std::vector<std::int32_t> ids;
  fields.require("ids", "an array of token ids");
  fields.read("ids", ids);
  expect_no_error(fields);
  return text_as_json(known.decode(ids));
}

void run_detokenize(const TokenizeOptions& options) {
  Ids known = choose_ids(options);
  if (options.lines) {
    answer_json_lines(std::cin, {}, 1,
                      [&](const json::object& line, std::string_view) -> LineAnswer {
                        return {.json = detokenize_line(line, known)};
                      });
    return;
  }
  std::string words = fmt::format("{}", fmt::join(options.ids, " "));
  if (words == "-") words = value_or_fail(read_file("-"));
  std::string bytes = known.decode(value_or_fail(parse_ids(words)));
  write_output(options.as_json ? text_as_json(bytes) + "\n" : bytes);
}

void add_tokenizer_options(CLI::App& command, TokenizeOptions& options) {
  command
      .add_option("--model,-m", options.model,
                  "Use the tokenizer of this checkpoint, as generate --model takes it")
      ->transform(not_empty("a path or a name"))
      ->type_name("PATH|NAME");
  command
      .add_option_function<std::string>(
          "--tokenizer", [&options](const std::string& text) { options.tokenizer = text; },
          "Use this tokenizer: a folder or file (tokenizer.json, vocab.json, meta.pkl), or gpt2 "
          "(default: gpt2, or the model's own)")
      ->transform(not_empty("a path or gpt2"))
      ->type_name("PATH|gpt2");
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* tokenize =
      app.add_subcommand("tokenize", "Turn text into token ids, GPT-2's or another tokenizer's");
  add_tokenizer_options(*tokenize, *options);
  CLI::Option* text = tokenize->add_option(
      "TEXT", options->text,
      "The text; default, or -: all of standard input (a last newline is part of it)");
  add_text_options(*tokenize, options->encoding, "the text or the lines are");
  tokenize->add_flag("--json", options->as_json, "Print {\"ids\": [...]} instead of plain ids");
  tokenize
      ->add_flag("--jsonl", options->lines,
                 "Answer each line {\"text\": \"...\"} of standard input with a line {\"ids\": "
                 "[...]}, in order; a field special is as the option, and a bad line is answered "
                 "with {\"error\": ...}")
      ->excludes(text);
  tokenize->add_flag("--special", options->special,
                     "Let the names of special tokens in the text (<|endoftext|>) mean the tokens; "
                     "default: they are text like any");
  tokenize->footer(
      "A byte order mark is no part of the text.\n"
      "Example: chorus tokenize 'Hello, world'");
  tokenize->callback([options] { run_tokenize(*options); });

  auto back = std::make_shared<TokenizeOptions>();
  CLI::App* detokenize =
      app.add_subcommand("detokenize", "Turn token ids, GPT-2's or another tokenizer's, into text");
  add_tokenizer_options(*detokenize, *back);
  CLI::Option* ids = detokenize->add_option("IDS", back->ids,
                                            "Ids (GPT-2's are 0 to 50256), separated by spaces, "
                                            "commas or newlines; default, or -: all of standard "
                                            "input");
  detokenize->add_flag("--json", back->as_json,
                       "Print {\"text\": \"...\"} instead of the text's exact bytes");
  detokenize
      ->add_flag("--jsonl", back->lines,
                 "Answer each line {\"ids\": [...]} of standard input with a line {\"text\": "
                 "\"...\"}, in order; a bad line is answered with {\"error\": ...}")
      ->excludes(ids);
  detokenize->footer(
      "In JSON, bytes that are not UTF-8 become U+FFFD.\nExample: chorus detokenize 15496 11 995");
  detokenize->callback([back] { run_detokenize(*back); });
}

}  // namespace chorus::cli
