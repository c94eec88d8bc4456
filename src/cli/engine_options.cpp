#include "cli/engine_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "checkpoint/checkpoint.h"
#include "cli/commands.h"
#include "cli/model_source.h"
#include "cli/option_checks.h"
#include "cli/progress.h"

namespace chorus::cli {

void add_model_options(CLI::App& command, ModelOptions& options) {
  command
      .add_option("--model,-m", options.model,
                  "Checkpoint file, Hugging Face folder, or name: gpt2, gpt2-medium, gpt2-large, "
                  "gpt2-xl, distilgpt2, hf:owner/name, parallelopedia "
                  "(default: the storyteller in this program)")
      ->transform(not_empty("a path or a name"))
      ->type_name("PATH|NAME");
  command
      .add_option("--dtype", options.dtype,
                  "How weights are held: f32, bf16, int8 or int4 (default: as a converted file of "
                  "int8 or int4 has them, bf16 for a checkpoint of bf16, else f32)")
      ->check(CLI::IsMember({"f32", "bf16", "int8", "int4"}))
      ->type_name("TYPE");
  command
      .add_option("--threads,-t", options.threads,
                  "Threads that compute; the text does not depend on it (default: the processors "
                  "that this process may use)")
      ->transform(whole_number(1, 1024))
      ->type_name("N");
  command
      .add_option("--n-head", options.n_head,
                  "Attention heads of a bare state_dict, which does not say (default: n_embd / 64)")
      ->transform(whole_number(1))
      ->type_name("N");
  command.add_flag("--allow-nonfinite", options.allow_nonfinite,
                   "Accept a checkpoint with NaN or infinite weights (default: refuse it)");
}

namespace {

// Of a name that --dtype takes; empty: as stored.
WeightFormat weight_format(const std::string& dtype) {
  if (dtype == "f32") return WeightFormat::kF32;
  if (dtype == "bf16") return WeightFormat::kBf16;
  if (dtype == "int8") return WeightFormat::kInt8;
  if (dtype == "int4") return WeightFormat::kInt4;
  return WeightFormat::kStored;
}

}  // namespace

LoadedEngine load_engine(const ModelOptions& options) {
  // Fetching is not loading: the clock starts when the model is here.
  std::string path = options.model.empty() ? "" : value_or_fail(locate_model(options.model));
  auto start = std::chrono::steady_clock::now();
  checkpoint::Checkpoint checkpoint = value_or_fail(open_model(path, {.n_head = options.n_head}));
  ProgressBar bar("Loading " + checkpoint.path);
  EngineOptions engine_options{
      .dtype = weight_format(options.dtype),
      .threads = options.threads,
      .allow_nonfinite = options.allow_nonfinite,
      .progress = [&bar](std::uint64_t done, std::uint64_t total) { bar.update(done, total); }};
  auto engine = value_or_fail(Engine::load(checkpoint, engine_options));
  bar.finish();
  std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return {std::move(engine), options.model.empty() ? "storyteller" : options.model,
          elapsed.count()};
}

std::string describe(const ModelInfo& info) {
  return fmt::format("{} ({:.1f} M parameters, {}, {}, {} thread{})", info.path,
                     static_cast<double>(info.parameters) * 1e-6, info.dtype, info.instructions,
                     info.threads, info.threads == 1 ? "" : "s");
}

}  // namespace chorus::cli
