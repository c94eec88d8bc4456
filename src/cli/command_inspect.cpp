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
#include <set>

#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors/quantised.h"
#include "cli/commands.h"
#include "cli/model_source.h"
#include "cli/option_checks.h"
#include "cli/output.h"
#include "core/utf8.h"

namespace chorus::cli {
namespace {

using checkpoint::Checkpoint;
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

// A line of the table of tensors: what the model has, quantised or not.
struct Line {
  std::string name;
  std::vector<std::int64_t> shape;
  std::string dtype;
};

std::vector<Line> lines_of(const Checkpoint& checkpoint) {
  std::vector<Line> lines;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    lines.push_back({name, tensor.shape, number_format_name(tensor.dtype)});
  }
  for (const auto& [name, matrix] : checkpoint.quantised) {
    lines.push_back({name, {matrix.outputs, matrix.inputs}, number_format_name(matrix.type)});
  }
  std::ranges::sort(lines, {}, &Line::name);
  return lines;
}

std::vector<std::string> dtypes_of(const Checkpoint& checkpoint) {
  std::set<std::string> names;
  for (const Line& line : lines_of(checkpoint)) names.insert(line.dtype);
  return {names.begin(), names.end()};
}

std::string shape_of(const Line& line) { return fmt::format("[{}]", fmt::join(line.shape, ", ")); }

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

// `nonfinite` is empty if there is none.
json::object as_json(const Checkpoint& checkpoint, const InspectOptions& options,
                     const std::optional<std::string>& nonfinite) {
  json::array tensors;
  for (const Line& line : lines_of(checkpoint)) {
    tensors.push_back({{"name", line.name},
                       {"shape", json::array(line.shape.begin(), line.shape.end())},
                       {"dtype", line.dtype}});
  }
  auto dtypes = dtypes_of(checkpoint);
  json::object result = {{"path", replace_ill_formed(checkpoint.path)},
                         {"format", checkpoint.format},
                         {"origin", checkpoint::origin_name(checkpoint.origin)},
                         {"config", config_as_json(checkpoint.config)},
                         {"sources", sources_as_json(checkpoint)},
                         {"notes", json::value_from(checkpoint.notes)},
                         {"step", checkpoint.step ? json::value(*checkpoint.step) : json::value()},
                         {"val_loss", number_or_null(checkpoint.val_loss)},
                         {"parameters", checkpoint.parameter_count()},
                         {"dtypes", json::array(dtypes.begin(), dtypes.end())},
                         {"tensors", std::move(tensors)}};
  if (options.check) result["nonfinite"] = nonfinite ? json::value(*nonfinite) : json::value();
  return result;
}

// "124,439,808": groups of three digits.
std::string grouped(std::int64_t number) {
  std::string digits = fmt::format("{}", number);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
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
  text += fmt::format(kLine, "step",
                      checkpoint.step ? fmt::format("{}", *checkpoint.step) : "not stated");
  text += fmt::format(kLine, "validation loss",
                      checkpoint.val_loss ? fmt::format("{}", *checkpoint.val_loss) : "not stated");
  text += fmt::format(kLine, "parameters", grouped(checkpoint.parameter_count()));
  text += fmt::format(kLine, "dtypes", fmt::join(dtypes_of(checkpoint), ", "));
  return text;
}

std::string table(const Checkpoint& checkpoint) {
  std::size_t name_width = 6, shape_width = 5;
  std::vector<Line> lines = lines_of(checkpoint);
  for (const Line& line : lines) {
    name_width = std::max(name_width, line.name.size());
    shape_width = std::max(shape_width, shape_of(line).size());
  }
  auto row = [&](std::string_view name, std::string_view shape, std::string_view dtype) {
    return fmt::format("{:<{}}  {:<{}}  {}\n", name, name_width, shape, shape_width, dtype);
  };
  std::string text = row("tensor", "shape", "dtype");
  for (const Line& line : lines) text += row(line.name, shape_of(line), line.dtype);
  return text;
}

void run(const InspectOptions& options) {
  Checkpoint checkpoint = value_or_fail(open_model(options.path, options.open));
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
  write_output(text + "\n" + table(checkpoint));
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* inspect =
      app.add_subcommand("inspect", "Print a checkpoint's config, figures and tensors");
  inspect
      ->add_option("FILE", options->path,
                   "A PyTorch checkpoint, a safetensors file, a Hugging Face folder, or a name "
                   "as generate --model takes (default: the storyteller in this program)")
      ->transform(not_empty("a path or a name"))
      ->type_name("");
  inspect->add_flag("--json", options->as_json,
                    "Print one JSON object: path, format, origin, config, sources, notes, step, "
                    "val_loss, parameters, "
                    "dtypes, tensors; what is not stated is null");
  add_open_options(*inspect, options->open);
  inspect->add_flag("--check", options->check,
                    "Read every weight and name the first that is NaN or infinite (JSON: "
                    "\"nonfinite\"; default: weights are not read)");
  inspect->footer(
      "Tied weights are counted once; val_loss is in nats per token; shapes are [outputs, "
      "inputs].\n"
      "Example: chorus inspect model.safetensors --json");
  inspect->callback([options] { run(*options); });
}

}  // namespace chorus::cli
