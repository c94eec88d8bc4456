// `chorus inspect`: what a checkpoint is, without running it.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>

#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors/quantised.h"
#include "cli/commands.h"
#include "cli/inspect_tables.h"
#include "cli/model_source.h"
#include "cli/option_checks.h"
#include "cli/output.h"
#include "core/utf8.h"

namespace chorus::cli {
namespace {

using checkpoint::Checkpoint;
using checkpoint::ListedTensor;
using checkpoint::ModelConfig;
namespace json = boost::json;

struct InspectOptions {
  std::string path;
  checkpoint::OpenOptions open;
  bool as_json = false;
  bool check = false;
};

json::object config_as_json(const ModelConfig& config) {
  return {{"block_size", config.block_size},
          {"vocab_size", config.vocab_size},
          {"n_layer", config.n_layer},
          {"n_head", config.n_head},
          {"n_embd", config.n_embd},
          {"n_inner", config.n_inner},
          {"activation_function", checkpoint::activation_name(config.activation)},
          {"layer_norm_epsilon", config.layer_norm_epsilon},
          {"bias", config.bias},
          {"tie_word_embeddings", config.tie_word_embeddings},
          {"scale_attn_weights", config.scale_attn_weights},
          {"scale_attn_by_inverse_layer_idx", config.scale_attn_by_inverse_layer_idx}};
}

std::vector<ListedTensor> tensors_of(const Checkpoint& checkpoint) {
  std::vector<ListedTensor> tensors;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    tensors.push_back({name, tensor.shape, number_format_name(tensor.dtype)});
  }
  for (const auto& [name, matrix] : checkpoint.quantised) {
    tensors.push_back({name, {matrix.outputs, matrix.inputs}, number_format_name(matrix.type)});
  }
  std::ranges::sort(tensors, {}, &ListedTensor::name);
  return tensors;
}

// JSON has no word for NaN and the infinities.
json::value number_or_null(std::optional<double> number) {
  return number && std::isfinite(*number) ? json::value(*number) : json::value();
}

// Field to where its value comes from.
json::object sources_as_json(const Checkpoint& checkpoint) {
  json::object result;
  for (const auto& [field, source] : checkpoint.sources) {
    result[field] = checkpoint::value_source_name(source);
  }
  return result;
}

json::object token_ids_as_json(const checkpoint::TokenIds& ids) {
  auto one = [](std::optional<std::int32_t> id) { return id ? json::value(*id) : json::value(); };
  return {{"bos", one(ids.bos)},
          {"eos", json::array(ids.eos.begin(), ids.eos.end())},
          {"pad", one(ids.pad)}};
}

// `nonfinite` is empty if there is none.
json::object as_json(const Checkpoint& checkpoint, const InspectOptions& options,
                     const std::optional<std::string>& nonfinite) {
  std::vector<ListedTensor> tensors = tensors_of(checkpoint);
  auto dtypes = types_of(tensors);
  json::object result = {{"path", replace_ill_formed(checkpoint.path)},
                         {"format", checkpoint.format},
                         {"origin", checkpoint::origin_name(checkpoint.origin)},
                         {"config", config_as_json(checkpoint.config)},
                         {"sources", sources_as_json(checkpoint)},
                         {"notes", json::value_from(checkpoint.notes)},
                         {"tokenizer", checkpoint.tokenizer != nullptr
                                           ? json::value(checkpoint.tokenizer->description())
                                           : json::value()},
                         {"token_ids", token_ids_as_json(checkpoint.token_ids)},
                         {"step", checkpoint.step ? json::value(*checkpoint.step) : json::value()},
                         {"val_loss", number_or_null(checkpoint.val_loss)},
                         {"parameters", checkpoint.parameter_count()},
                         {"dtypes", json::array(dtypes.begin(), dtypes.end())},
                         {"tensors", tensors_as_json(tensors)}};
  if (options.check) result["nonfinite"] = nonfinite ? json::value(*nonfinite) : json::value();
  return result;
}

std::string source_of(const Checkpoint& checkpoint, std::string_view field) {
  auto found = checkpoint.sources.find(std::string(field));
  return found == checkpoint.sources.end()
             ? ""
             : fmt::format("({})", checkpoint::value_source_name(found->second));
}

std::string summary(const Checkpoint& checkpoint) {
  constexpr const char* kLine = "{:<32} {}\n";
  std::string text = fmt::format("{}\n", checkpoint.path);
  text += fmt::format(kLine, "format", checkpoint.format);
  text += fmt::format(kLine, "origin", checkpoint::origin_name(checkpoint.origin));
  for (const auto& [key, value] : config_as_json(checkpoint.config)) {
    std::string_view name(key.data(), key.size());
    std::string shown = json::serialize(value);
    if (value.is_string()) shown = value.get_string();
    if (value.is_double()) shown = fmt::format("{}", value.get_double());
    text += fmt::format("{:<32} {:<14} {}\n", name, shown, source_of(checkpoint, name));
  }
  text += fmt::format(kLine, "tokenizer",
                      checkpoint.tokenizer ? checkpoint.tokenizer->description() : "none");
  for (const auto& [role, ids] : token_ids_as_json(checkpoint.token_ids)) {
    text += fmt::format(kLine, std::string(role) + " id", json::serialize(ids));
  }
  text += fmt::format(kLine, "step",
                      checkpoint.step ? fmt::format("{}", *checkpoint.step) : "not stated");
  text += fmt::format(kLine, "validation loss",
                      checkpoint.val_loss ? fmt::format("{}", *checkpoint.val_loss) : "not stated");
  text += fmt::format(kLine, "parameters", grouped(checkpoint.parameter_count()));
  text += fmt::format(kLine, "dtypes", fmt::join(types_of(tensors_of(checkpoint)), ", "));
  return text;
}

void run(const InspectOptions& options) {
  checkpoint::Listing listing = value_or_fail(list_model(options.path, options.open));
  if (listing.problem) return write_problem(*listing.problem, options.as_json);
  Checkpoint& checkpoint = *listing.checkpoint;
  print_notes(checkpoint.notes);
  std::optional<std::string> nonfinite;
  if (options.check) nonfinite = checkpoint::find_nonfinite(checkpoint);
  if (options.as_json) {
    write_output(json::serialize(as_json(checkpoint, options, nonfinite)) + "\n");
    return;
  }
  std::string text = summary(checkpoint);
  if (options.check) {
    text += fmt::format("{:<32} {}\n", "NaN or infinite weights", nonfinite.value_or("none"));
  }
  std::vector<ListedTensor> tensors = tensors_of(checkpoint);
  write_output(tensor_table(tensors) + "\n" + layer_table(tensors) + "\n" + text);
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* inspect =
      app.add_subcommand("inspect", "Print a checkpoint's tensors, config and figures");
  CLI::Option* file =
      inspect
          ->add_option("FILE", options->path,
                       "A PyTorch checkpoint, a safetensors file, a Hugging Face folder, or a name "
                       "as generate --model takes " +
                           default_model_help())
          ->transform(not_empty("a path or a name"))
          ->type_name("");
  inspect->add_option("--model", options->path, "The same as FILE")
      ->transform(not_empty("a path or a name"))
      ->excludes(file)
      ->type_name("FILE");
  inspect->add_flag("--json", options->as_json,
                    "Print one JSON object: path, format, origin, config, sources, notes, "
                    "tokenizer, token_ids, step, val_loss, parameters, dtypes, tensors; what is "
                    "not stated is null. Of what "
                    "cannot be opened: path, format, problem, missing, unexpected, parameters, "
                    "dtypes, tensors");
  add_open_options(*inspect, options->open);
  inspect->add_flag("--check", options->check,
                    "Read every weight and name the first that is NaN or infinite (JSON: "
                    "\"nonfinite\"; default: weights are not read)");
  inspect->footer(
      "Tied weights are counted once; val_loss is in nats per token; shapes are [outputs, "
      "inputs].\n"
      "Of a file whose tensors can be read but that is no model that Chorus opens, the tensors "
      "are\n"
      "listed as the file has them, with what is missing.\n"
      "Example: chorus inspect model.safetensors --json");
  inspect->callback([options] { run(*options); });
}

}  // namespace chorus::cli
