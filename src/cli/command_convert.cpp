// `chorus convert`: any checkpoint that Chorus reads becomes one safetensors file, or a Hugging Face
// folder.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors/huggingface_write.h"
#include "checkpoint/safetensors/quantised.h"
#include "checkpoint/safetensors/write.h"
#include "cli/commands.h"
#include "cli/model_source.h"
#include "cli/option_checks.h"
#include "core/memory.h"
#include "core/thread_team.h"
#include "model/quantise.h"
#include "model/weight_memory.h"

namespace chorus::cli {
namespace {

using checkpoint::Checkpoint;

struct ConvertOptions {
  std::string input, output;
  std::optional<NumberFormat> dtype;  // empty: the input's
  checkpoint::OpenOptions open;
  bool allow_nonfinite = false;
};

NumberFormat choose_dtype(const ConvertOptions& options, const Checkpoint& checkpoint) {
  if (!checkpoint.quantised.empty()) return NumberFormat::kF32;  // of what is not quantised
  return options.dtype.value_or(checkpoint::common_dtype(checkpoint));
}

// A quantised input can only be copied: what it lost does not come back.
void refuse_requantising(const ConvertOptions& options, const Checkpoint& input) {
  auto found = checkpoint::quantised_format(input);
  if (!found || !options.dtype || options.dtype == found) return;
  throw CommandFailed(fmt::format("{}: holds {} weights; convert the original to {}", options.input,
                                  number_format_name(*found), number_format_name(*options.dtype)));
}

bool is_folder(const std::string& output) {
  std::error_code ignored;
  return output.ends_with('/') || std::filesystem::is_directory(output, ignored);
}

// A name that promises another format is not filled with safetensors.
void refuse_other_formats(const std::string& output) {
  constexpr const char* kOthers[] = {
      ".bin", ".ckpt", ".ggml",    ".gguf", ".h5",     ".hdf5",  ".index", ".joblib", ".json",
      ".llm", ".meta", ".msgpack", ".npy",  ".npz",    ".onnx",  ".pb",    ".pickle", ".pkl",
      ".pt",  ".pt2",  ".pth",     ".tar",  ".tflite", ".torch", ".zip"};
  std::string extension = std::filesystem::path(output).extension();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (std::ranges::find(kOthers, extension) == std::end(kOthers)) return;
  throw CommandFailed(
      fmt::format("{}: convert writes safetensors, not {}; expected NAME.safetensors "
                  "or, for a Hugging Face folder, NAME/",
                  output, extension));
}

// The output would replace what is being read: of a folder, any file of it that holds weights.
void refuse_same_file(const ConvertOptions& options) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  bool is_same =
      fs::equivalent(options.input, options.output, ignored) ||
      (is_folder(options.output) &&
       fs::equivalent(options.input, fs::path(options.output) / "model.safetensors", ignored));
  if (!is_same && fs::is_directory(options.input, ignored)) {
    fs::path folder = fs::path(options.output).parent_path();
    if (folder.empty()) folder = ".";
    is_same = fs::exists(options.output, ignored) && fs::equivalent(options.input, folder, ignored);
  }
  if (is_same) {
    throw CommandFailed(options.output + ": would replace the checkpoint that is being converted");
  }
}

std::uint64_t write(const Checkpoint& checkpoint, const std::string& output, NumberFormat dtype) {
  if (is_folder(output)) {
    return value_or_fail(checkpoint::write_huggingface_folder(checkpoint, output, dtype));
  }
  return value_or_fail(checkpoint::write_safetensors(checkpoint, output, dtype));
}

void check_quantised_fits(const Checkpoint& input, NumberFormat dtype) {
  auto fits = check_memory({model::weights_part(input, dtype)}, memory_bound());
  if (!fits) throw CommandFailed(fits.assume_error().message);
}

void run(const ConvertOptions& options) {
  if (!is_folder(options.output)) refuse_other_formats(options.output);
  refuse_same_file(options);
  Checkpoint input = value_or_fail(open_model(options.input, options.open));
  print_notes(input.notes);
  if (!options.allow_nonfinite) {
    if (auto found = checkpoint::find_nonfinite(input)) {
      throw CommandFailed(
          fmt::format("{}: {} (--allow-nonfinite converts all the same)", options.input, *found));
    }
  }
  refuse_requantising(options, input);
  if (options.dtype && is_quantised(*options.dtype) && input.quantised.empty()) {
    check_quantised_fits(input, *options.dtype);
    ThreadTeam team(available_processors());
    input = model::quantise(input, *options.dtype, team);
  }
  NumberFormat dtype = choose_dtype(options, input);
  std::uint64_t size = write(input, options.output, dtype);
  fmt::print(stderr, "Wrote {}: {} tensors, {} parameters, {} bytes, {}\n", options.output,
             input.tensors.size() + input.quantised.size(), input.parameter_count(), size,
             number_format_name(checkpoint::quantised_format(input).value_or(dtype)));
}

}  // namespace

void add_convert(CLI::App& app) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* convert = app.add_subcommand(
      "convert", "Write a checkpoint as one safetensors file, or a Hugging Face folder");
  convert
      ->add_option("IN", options->input,
                   "A PyTorch checkpoint, a safetensors file, a Hugging Face folder, or a name "
                   "as generate --model takes")
      ->required()
      ->transform(not_empty("a path or a name"))
      ->type_name("");
  convert
      ->add_option(
          "OUT", options->output,
          "The file to write, replaced if it is there; it appears whole or not at all. With / at "
          "its end: a Hugging Face folder, which transformers loads")
      ->required()
      ->transform(not_empty("a path"))
      ->type_name("");
  convert
      ->add_option(
          "--dtype", options->dtype,
          "Type of the weights written: f32, bf16, f16, int8 or int4 (default: the input's; "
          "f32 if it has several)")
      ->transform(number_format(kStoredFormats))
      ->type_name("TYPE");
  add_open_options(*convert, options->open);
  convert->add_flag("--allow-nonfinite", options->allow_nonfinite,
                    "Convert weights that are NaN or infinite too (default: refuse them by name)");
  convert->footer(
      "The config and the tokenizer go into the file's metadata, and the layout is Hugging Face's: "
      "the\n"
      "file stands alone, and serves as model.safetensors of a folder. Files of int8 and int4 are "
      "Chorus's "
      "own\n"
      "and are mapped, not read, when they are opened.\n"
      "Examples:\n"
      "  chorus convert model_19072.pt model.safetensors --dtype bf16\n"
      "  chorus convert out-shakespeare-char/ckpt.pt shakespeare/");
  convert->callback([options] { run(*options); });
}

}  // namespace chorus::cli
