// `chorus generate`: continues a prompt, streaming the text to standard output; what is not text
// goes to standard error.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <random>

#include "chorus/request_length.h"
#include "cli/commands.h"
#include "cli/engine_options.h"
#include "cli/input.h"
#include "cli/json_lines.h"
#include "cli/model_source.h"
#include "cli/option_checks.h"
#include "cli/output.h"
#include "cli/sampling_options.h"
#include "cli/text_input.h"
#include "core/error_text.h"
#include "json/text.h"
#include "sampling/sampling_json.h"

namespace chorus::cli {
namespace {

constexpr std::int32_t kMostSamplesOfARun = 100000;
constexpr std::int32_t kSamplesOfARequest = 64;

// What one request asks for, in the words of the command line.
struct GenerateRequest {
  std::string prompt;
  std::vector<std::int32_t> prompt_ids;
  bool special = false;
  LengthAsked length;
  std::int32_t samples = 1;
  Request engine;  // prompt, max_length and seed left out
};

struct GenerateOptions {
  ModelOptions model;
  GenerateRequest request;
  std::optional<std::string> prompt, prompt_file;  // where the request's prompt is read from
  TextEncoding encoding;
  std::optional<std::uint64_t> seed;
  bool no_stream = false, as_json = false, lines = false;
  std::size_t parallel = kDefaultParallel;
};

std::vector<std::int32_t> parse_prompt_ids(const std::string& text) {
  Result<std::vector<std::int32_t>> ids = parse_ids(text);
  if (!ids) throw CommandFailed("--prompt-ids: " + ids.assume_error().message);
  if (ids.assume_value().empty()) throw CommandFailed("--prompt-ids: expected at least one id");
  return std::move(ids.assume_value());
}

// 32 bits: all that PyTorch's CPU generator takes of a seed.
std::uint64_t random_seed() { return std::random_device{}(); }

Request to_engine_request(const GenerateRequest& asked, std::uint64_t seed, const Engine& engine) {
  Request request = asked.engine;
  request.prompt = asked.prompt_ids;
  if (request.prompt.empty() && !asked.prompt.empty()) {
    request.prompt = value_or_fail(in_place(engine.encode(asked.prompt, asked.special), "prompt"));
  }
  if (request.prompt.empty()) {
    request.prompt = {
        value_or_fail(in_place(engine.bos(), "prompt: expected a text or ids, found none"))};
  }
  request.sampling.seed = seed;
  request.max_length =
      value_or_fail(total_length(asked.length, request.prompt.size(), request.past_block,
                                 engine.info().block_size, "--max-length or --max-new-tokens"));
  return request;
}

double rate(const Completion& completion) {
  double seconds = completion.usage.seconds;
  return seconds > 0.0 ? completion.usage.generated_tokens / seconds : 0.0;
}

// [{"id", "logprob", "top": {"id": logprob}}, ...] of the tokens chosen.
std::string logprobs_json(const std::vector<TokenInfo>& tokens) {
  std::vector<std::string> entries;
  for (const TokenInfo& token : tokens) {
    std::vector<std::string> top;
    for (const TokenLogprob& other : token.top) {
      top.push_back(fmt::format(R"("{}":{})", other.id, json_number(other.logprob)));
    }
    entries.push_back(fmt::format(R"({{"id":{},"logprob":{},"top":{{{}}}}})", token.id,
                                  json_number(token.logprob.value_or(0.0)), fmt::join(top, ",")));
  }
  return json_array(entries);
}

std::string to_json(const Completion& completion, const Request& request,
                    const LoadedEngine& loaded) {
  std::string logprobs;
  if (request.logprobs) {
    logprobs = fmt::format(R"("logprobs":{},)", logprobs_json(completion.result));
  }
  return fmt::format(
      R"({{"model":{},"seed":{},"prompt_tokens":{},"tokens":{},"text":{},"finish_reason":"{}",{})"
      R"("tokens_per_second":{:.2f},"load_seconds":{:.4f}}})",
      json_string(loaded.model), request.sampling.seed, json_array(request.prompt),
      json_array(completion.tokens), json_string(completion.text),
      finish_reason_name(completion.finish_reason), logprobs, rate(completion), loaded.seconds);
}

// A request's samples as JSON, an object for one, an array for more; all at once, as far as the
// engine takes them.
LineAnswer generate_json(const GenerateRequest& asked, std::uint64_t seed,
                         const LoadedEngine& loaded) {
  LineAnswer answer;
  std::vector<std::string> samples;
  for (std::int32_t done = 0; done < asked.samples;) {
    Request request =
        to_engine_request(asked, seed + static_cast<std::uint64_t>(done), *loaded.engine);
    request.n = asked.samples - done;
    if (!request.one_stream) request.n = std::min(request.n, kSamplesOfARequest);
    done += request.n;
    for (const Completion& sample : value_or_fail(loaded.engine->complete(request))) {
      samples.push_back(to_json(sample, request, loaded));
      answer.tokens += static_cast<std::uint64_t>(sample.usage.generated_tokens);
      if (!request.one_stream) ++request.sampling.seed;
    }
  }
  answer.json = samples.size() == 1 ? samples[0] : json_array(samples);
  return answer;
}

LineAnswer answer_line(const boost::json::object& line, const GenerateOptions& options,
                       const LoadedEngine& loaded) {
  GenerateRequest asked = options.request;
  std::uint64_t seed = options.seed ? *options.seed : random_seed();
  JsonFields fields(line, kLineFields);
  if (fields.has("prompt") && fields.has("prompt_ids")) {
    throw CommandFailed("prompt: expected a prompt or prompt_ids, found both");
  }
  if (fields.has("prompt")) asked.prompt_ids.clear();
  fields.read("prompt", asked.prompt);
  fields.read("prompt_ids", asked.prompt_ids);
  if (fields.has("prompt_ids") && asked.prompt_ids.empty()) {
    fields.refuse("prompt_ids", "at least one id");
  }
  fields.read("special", asked.special);
  if (fields.has("max_length") || fields.has("max_new_tokens")) asked.length = {};
  fields.read("max_length", asked.length.max_length, 1);
  fields.read("max_new_tokens", asked.length.max_new_tokens, 1);
  asked.engine.sampling.seed = seed;
  sampling::visit_sampling_fields(asked.engine, sampling::SamplingJson(fields));
  seed = asked.engine.sampling.seed;
  fields.read("stop", asked.engine.stop);
  fields.read("stop_ids", asked.engine.stop_ids);
  fields.read("logprobs", asked.engine.logprobs);
  fields.read("n", asked.samples, 1, kMostSamplesOfARun);
  expect_no_error(fields);
  return generate_json(asked, seed, loaded);
}

// The samples of --one-stream come one after another by themselves. Writes each one's text, as it is
// made unless `no_stream`; returns what they took.
Usage write_one_stream(const GenerateOptions& options, std::uint64_t seed,
                       const LoadedEngine& loaded) {
  Request request = to_engine_request(options.request, seed, *loaded.engine);
  request.n = options.request.samples;
  request.echo = true;
  Stream stream = value_or_fail(loaded.engine->submit(request));
  Usage usage;
  std::string prompt, text;
  std::int32_t sample = -1;
  while (std::optional<Event> event = stream.next()) {
    if (event->kind == Event::Kind::kError) throw CommandFailed(event->error.message);
    if (event->kind == Event::Kind::kPrompt) {
      prompt = event->text;
      continue;
    }
    if (event->sample != sample) {
      sample = event->sample;
      write_output(fmt::format("{}--- sample {} of seed {} ---\n{}", sample > 0 ? "\n" : "", sample,
                               seed, options.no_stream ? "" : prompt));
      text = prompt;
    }
    text += event->text;
    if (!options.no_stream) write_output(event->text);
    if (event->kind != Event::Kind::kDone) continue;
    write_output(options.no_stream ? text + "\n" : "\n");
    usage.generated_tokens += event->usage.generated_tokens;
    usage.seconds = event->usage.seconds;  // since all were submitted
  }
  return usage;
}

// Writes each sample's text, as it is made unless `no_stream`; returns what they took.
Usage write_samples(const GenerateOptions& options, std::uint64_t seed,
                    const LoadedEngine& loaded) {
  const GenerateRequest& asked = options.request;
  Usage usage;
  for (std::int32_t i = 0; i < asked.samples; ++i) {
    Request request =
        to_engine_request(asked, seed + static_cast<std::uint64_t>(i), *loaded.engine);
    if (asked.samples > 1) {
      write_output(fmt::format("{}--- seed {} ---\n", i > 0 ? "\n" : "", request.sampling.seed));
    }
    TextCallback stream = [](std::string_view text) {
      write_output(text);
      return true;
    };
    Completion completion = [&] {
      if (options.no_stream) return value_or_fail(loaded.engine->generate(request));
      request.echo = true;
      return value_or_fail(loaded.engine->generate(request, stream));
    }();
    write_output(options.no_stream ? completion.text + "\n" : "\n");
    usage.generated_tokens += completion.usage.generated_tokens;
    usage.seconds += completion.usage.seconds;
  }
  return usage;
}

void generate_text(const GenerateOptions& options, std::uint64_t seed, const LoadedEngine& loaded) {
  bool one_stream = options.request.engine.one_stream && options.request.samples > 1;
  Usage usage =
      one_stream ? write_one_stream(options, seed, loaded) : write_samples(options, seed, loaded);
  fmt::print(stderr, "Generated {} tokens in {:.2f} s ({:.2f} tokens/s)\n", usage.generated_tokens,
             usage.seconds, usage.seconds > 0.0 ? usage.generated_tokens / usage.seconds : 0.0);
}

// Which loop a checkpoint's kind has chosen, where that is not what --help says of one that tells
// nothing.
void print_loop(const GenerateOptions& options, const ModelInfo& info) {
  if (options.request.engine.sampling.loop || info.loop == SamplingLoop::kTalk) return;
  print_notes(
      {fmt::format("sampling loop {}, that of the program the checkpoint comes from (--loop "
                   "names another)",
                   sampling_loop_name(info.loop))});
}

// The prompt's text, wherever it is, before the model is loaded, so that a mistake is met at once.
std::string read_prompt(const GenerateOptions& options) {
  if (options.lines && (options.prompt == "-" || options.prompt_file == "-")) {
    throw CommandFailed(fmt::format(
        "{}: expected a text or a file, found - for standard input, which --jsonl reads",
        options.prompt ? "PROMPT" : "--prompt-file"));
  }
  if (options.prompt_file) return read_text(*options.prompt_file, options.encoding);
  if (options.prompt) return argument_or_input(*options.prompt, "PROMPT", options.encoding);
  if (options.lines || !options.request.prompt_ids.empty() || !is_input_piped()) return {};
  fmt::print(stderr, "Reading the prompt from standard input\n");
  return read_text("-", options.encoding);
}

void run(GenerateOptions& options) {
  options.request.prompt = read_prompt(options);
  for (std::string& stop : options.request.engine.stop) {
    stop = text_of(stop, "--stop", {"utf-8", options.encoding.replace_invalid});
  }
  LoadedEngine loaded = load_engine(options.model);
  print_notes(loaded.engine->info().notes);
  print_loop(options, loaded.engine->info());
  fmt::print(stderr, "Loaded {} in {:.2f} s\n", describe(loaded.engine->info()), loaded.seconds);
  if (options.lines) {
    answer_json_lines(std::cin, options.encoding, options.parallel,
                      [&](const boost::json::object& line, std::string_view) {
                        return answer_line(line, options, loaded);
                      });
    return;
  }
  std::uint64_t seed = options.seed ? *options.seed : random_seed();
  if (!options.seed) fmt::print(stderr, "Seed {}\n", seed);
  if (options.as_json) {
    write_output(generate_json(options.request, seed, loaded).json + "\n");
  } else {
    generate_text(options, seed, loaded);
  }
}

void add_request_options(CLI::App& command, GenerateOptions& options) {
  GenerateRequest& request = options.request;
  // By functions, since CLI11 takes an empty string for no value of an optional.
  auto put = [](std::optional<std::string>& place) {
    return [&place](const std::string& text) { place = text; };
  };
  auto* prompt = command.add_option_function<std::string>(
      "PROMPT", put(options.prompt),
      "Text to continue; - for standard input, which is also read if it is piped and no prompt is "
      "given (default: none, the start of a text)");
  prompt->type_name("");
  auto* prompt_file = command.add_option_function<std::string>(
      "--prompt-file", put(options.prompt_file),
      "File with the prompt, byte for byte (a last newline is part of it); - for standard input");
  prompt_file->transform(not_empty("a path"))->excludes(prompt)->type_name("PATH");
  add_text_options(command, options.encoding, "the prompt, its file or the lines are");
  command
      .add_option_function<std::string>(
          "--prompt-ids",
          [&request](const std::string& text) { request.prompt_ids = parse_prompt_ids(text); },
          "The prompt as ids: 1,2,3")
      ->excludes(prompt)
      ->excludes(prompt_file)
      ->type_name("IDS");
  command.add_flag(
      "--special", request.special,
      "Take the names of special tokens in the prompt (<|endoftext|>) for the tokens, not "
      "for their letters");
  auto* max_length = command.add_option(
      "--max-length", request.length.max_length,
      "Tokens of prompt and result together, at most the model's block size "
      "(but see --past-block) (default: 100, or the block size if that is less)");
  max_length->transform(whole_number(1))->type_name("TOKENS");
  command
      .add_option("--max-new-tokens", request.length.max_new_tokens,
                  "Tokens of the result alone, instead of --max-length")
      ->transform(whole_number(1))
      ->excludes(max_length)
      ->type_name("TOKENS");
  command.add_option("-n", request.samples, "Samples, with seeds SEED, SEED+1, ... (default: 1)")
      ->transform(whole_number(1, kMostSamplesOfARun))
      ->type_name("N");
  command
      .add_option("--stop", request.engine.stop,
                  "End before this string in the result; may be given several times")
      ->type_name("STRING")
      ->take_all()
      ->expected(1);
  command
      .add_option_function<std::string>(
          "--stop-ids",
          [&request](const std::string& text) {
            request.engine.stop_ids = value_or_fail(in_place(parse_ids(text), "--stop-ids"));
          },
          "End at these ids, too: 13,50256")
      ->type_name("IDS");
  command
      .add_option("--logprobs", request.engine.logprobs,
                  "With --json: each token's log-probability, and those of the N likeliest")
      ->transform(whole_number(0, kMostLogprobs))
      ->type_name("N");
}

}  // namespace

void add_generate(CLI::App& app) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = app.add_subcommand("generate", "Continue a prompt");
  add_request_options(*command, *options);
  add_sampling_options(*command, options->request.engine, options->seed);
  add_parallel_option(*command, options->parallel);
  add_model_options(*command, options->model);
  command->add_flag("--no-stream", options->no_stream,
                    "Print the text when it is complete (default: as it is made)");
  command->add_flag("--json", options->as_json,
                    "Print one JSON object (an array for -n over 1) instead of text");
  command->add_flag("--jsonl", options->lines,
                    "Read a JSON request a line from standard input, fields named as these options "
                    "(prompt or prompt_ids, max_length, top_k, seed, ...), and print a result a "
                    "line, in order; what is given here is every line's default, and a bad line "
                    "is answered with {\"error\": ...}");
  command->footer(
      "Examples:\n"
      "  chorus generate \"Once upon a time\" --seed 42\n"
      "  chorus generate --model model_19072.pt --max-length 200 --top-k 50 \"Albert Einstein\"\n"
      "  chorus generate --max-new-tokens 50 < prompt.txt\n"
      "  echo '{\"prompt\": \"Once\", \"seed\": 1}' | chorus generate --jsonl\n"
      "The same model, prompt, options and seed give the same text, on any processor and with any "
      "number of threads.");
  command->callback([options] { run(*options); });
}

}  // namespace chorus::cli
