// `chorus tokenize` and `chorus detokenize`: text to GPT-2's ids and back, without a model.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "cli/input.h"
#include "cli/json_lines.h"
#include "cli/output.h"
#include "json/text.h"
#include "tokenizer/tokenizer.h"

namespace chorus::cli {
namespace {

using tokenizer::Special;
using tokenizer::Tokenizer;
namespace json = boost::json;

struct TokenizeOptions {
  std::string text;              // tokenize
  std::vector<std::string> ids;  // detokenize
  bool given = false;            // as an argument; else standard input is read
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

std::vector<std::int32_t> encode(std::string_view text, bool special) {
  return value_or_fail(
      Tokenizer::gpt2()->encode(text, special ? Special::kRecognise : Special::kAsText));
}

// Fields that mean nothing here are let pass: the lines may be records of a corpus.
std::string tokenize_line(const json::object& line, bool special) {
  JsonFields fields(line, kRecordFields);
  std::string text;
  fields.require("text", "a string");
  fields.read("text", text);
  fields.read("special", special);
  expect_no_error(fields);
  return ids_as_json(encode(text, special));
}

void run_tokenize(const TokenizeOptions& options) {
  if (options.lines) {
    answer_json_lines(std::cin, 1, [&](const json::object& line) -> LineAnswer {
      return {.json = tokenize_line(line, options.special)};
    });
    return;
  }
  std::vector<std::int32_t> ids =
      encode(options.given ? options.text : read_all(std::cin), options.special);
  write_output(options.as_json ? ids_as_json(ids) + "\n"
                               : fmt::format("{}\n", fmt::join(ids, " ")));
}

std::string decode_checked(const std::vector<std::int32_t>& ids) {
  for (std::int32_t id : ids) {
    if (id < 0 || id >= Tokenizer::gpt2()->size()) {
      throw CommandFailed(
          fmt::format("id {} is not GPT-2's: expected 0 to {}", id, Tokenizer::gpt2()->size() - 1));
    }
  }
  return Tokenizer::gpt2()->decode(ids);
}

std::string detokenize_line(const json::object& line) {
  JsonFields fields(line, kRecordFields);
  std::vector<std::int32_t> ids;
  fields.require("ids", "an array of token ids");
  fields.read("ids", ids);
  expect_no_error(fields);
  return text_as_json(decode_checked(ids));
}

void run_detokenize(const TokenizeOptions& options) {
  if (options.lines) {
    answer_json_lines(std::cin, 1, [](const json::object& line) -> LineAnswer {
      return {.json = detokenize_line(line)};
    });
    return;
  }
  std::string words =
      options.given ? fmt::format("{}", fmt::join(options.ids, " ")) : read_all(std::cin);
  std::string bytes = decode_checked(value_or_fail(parse_ids(words)));
  write_output(options.as_json ? text_as_json(bytes) + "\n" : bytes);
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto options = std::make_shared<TokenizeOptions>();
  CLI::App* tokenize = app.add_subcommand("tokenize", "Turn text into GPT-2's token ids");
  CLI::Option* text = tokenize->add_option(
      "TEXT", options->text,
      "The text; default: all of standard input, byte for byte (a last newline is part of it)");
  tokenize->add_flag("--json", options->as_json, "Print {\"ids\": [...]} instead of plain ids");
  tokenize
      ->add_flag("--jsonl", options->lines,
                 "Answer each line {\"text\": \"...\"} of standard input with a line {\"ids\": "
                 "[...]}, in order; a field special is as the option, and a bad line is answered "
                 "with {\"error\": ...}")
      ->excludes(text);
  tokenize->add_flag("--special", options->special,
                     "Let <|endoftext|> in the text mean id 50256; default: it is text like any");
  tokenize->footer(
      "Bytes that are not UTF-8 count as U+FFFD.\nExample: chorus tokenize 'Hello, world'");
  tokenize->callback([options, text] {
    options->given = text->count() > 0;
    run_tokenize(*options);
  });

  auto back = std::make_shared<TokenizeOptions>();
  CLI::App* detokenize = app.add_subcommand("detokenize", "Turn GPT-2's token ids into text");
  CLI::Option* ids = detokenize->add_option(
      "IDS", back->ids,
      "Ids from 0 to 50256, separated by spaces, commas or newlines; default: all of standard "
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
  detokenize->callback([back, ids] {
    back->given = ids->count() > 0;
    run_detokenize(*back);
  });
}

}  // namespace chorus::cli
