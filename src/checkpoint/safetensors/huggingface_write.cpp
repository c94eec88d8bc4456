#include "checkpoint/safetensors/huggingface_write.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <span>
#include <system_error>
#include <vector>

#include "checkpoint/gpt2/config_json.h"
#include "checkpoint/gpt2/names.h"
#include "checkpoint/safetensors/write.h"
#include "checkpoint/token_ids.h"
#include "core/atomic_file.h"
#include "tokenizer/huggingface.h"

namespace chorus::checkpoint {
namespace {

namespace fs = std::filesystem;

Result<void> write_text(const fs::path& path, const std::string& text) {
  CHORUS_TRY(AtomicFile file, AtomicFile::create(path));
  CHORUS_TRY(file.write(std::as_bytes(std::span(text))));
  return file.commit();
}

// PyTorch's name, which config.json states.
const char* torch_name(NumberFormat dtype) {
  if (dtype == NumberFormat::kF16) return "float16";
  return dtype == NumberFormat::kBf16 ? "bfloat16" : "float32";
}

std::string config_json(const Checkpoint& checkpoint, NumberFormat dtype) {
  std::string config = config_to_json(checkpoint.config);
  config.pop_back();
  return fmt::format("{},{},\"torch_dtype\":\"{}\"}}\n", config,
                     token_ids_fields(checkpoint.token_ids), torch_name(dtype));
}

// The same model with biases of zeros where it has none.
Checkpoint with_biases(Checkpoint checkpoint) {
  if (checkpoint.config.bias) return checkpoint;
  checkpoint.config.bias = true;
  std::vector<ExpectedTensor> expected = tensors_outside_layers(checkpoint.config);
  for (std::int64_t layer = 0; layer < checkpoint.config.n_layer; ++layer) {
    for (ExpectedTensor& tensor : tensors_of_layer(checkpoint.config, layer)) {
      expected.push_back(std::move(tensor));
    }
  }
  for (const ExpectedTensor& tensor : expected) {
    if (checkpoint.tensors.contains(tensor.name) || tensor.shape.size() != 1) continue;
    auto zeros = std::make_shared<std::vector<float>>(static_cast<std::size_t>(tensor.shape[0]));
    checkpoint.tensors[tensor.name] = {
        NumberFormat::kF32, tensor.shape, {1}, std::as_bytes(std::span<const float>(*zeros))};
    checkpoint.owners.push_back(std::move(zeros));
  }
  return checkpoint;
}

Result<void> write_tokenizer(const Checkpoint& checkpoint, const fs::path& folder) {
  if (checkpoint.tokenizer == nullptr) return ok();
  const TokenIds& ids = checkpoint.token_ids;
  tokenizer::Roles roles{.bos = ids.bos, .eos = {}, .pad = ids.pad, .unk = {}};
  if (!ids.eos.empty()) roles.eos = ids.eos[0];
  for (const auto& [name, text] : tokenizer::to_huggingface_files(*checkpoint.tokenizer, roles)) {
    CHORUS_TRY(write_text(folder / name, text));
  }
  return ok();
}

}  // namespace

Result<std::uint64_t> write_huggingface_folder(const Checkpoint& checkpoint,
                                               const std::string& folder, NumberFormat dtype) {
  if (!checkpoint.quantised.empty()) {
    return Error{ErrorCode::kUnsupported,
                 folder +
                     ": a folder is for transformers, which does not read quantised weights "
                     "of Chorus; expected the name of a file, as model-int8.safetensors"};
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return Error{ErrorCode::kIo, folder + ": " + error.message()};
  fs::path place(folder);
  Checkpoint whole = with_biases(checkpoint);
  CHORUS_TRY(std::uint64_t size,
             write_safetensors(whole, place / "model.safetensors", dtype,
                               {.prefix = "transformer.", .carries_tokenizer = false}));
  CHORUS_TRY(write_tokenizer(whole, place));
  CHORUS_TRY(write_text(place / "generation_config.json",
                        "{" + token_ids_fields(whole.token_ids) + "}\n"));
  CHORUS_TRY(write_text(place / "config.json", config_json(whole, dtype)));
  return size;
}

}  // namespace chorus::checkpoint
