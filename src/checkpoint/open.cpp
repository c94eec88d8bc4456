// What kind of checkpoint a path or some bytes are, told by content and never by name.

#include <fmt/format.h>

#include <filesystem>
#include <system_error>

#include "checkpoint/model_tokenizer.h"
#include "checkpoint/raw.h"
#include "checkpoint/safetensors/huggingface.h"
#include "checkpoint/safetensors/safetensors.h"

namespace chorus::checkpoint {
namespace {

// `config_beside` as read_lone_safetensors has it.
Result<RawCheckpoint> read_bytes(const Bytes& bytes, const std::string& config_beside) {
  if (looks_like_pytorch(bytes)) return read_pytorch(bytes);
  if (looks_like_safetensors(bytes)) return read_lone_safetensors(bytes, config_beside);
  std::string hint;
  if (bytes.text().starts_with('{')) hint = "; it looks like JSON: give the folder that it is in";
  return Error{ErrorCode::kUnsupported,
               fmt::format("{}: not a checkpoint ({} bytes): expected a PyTorch zip, a safetensors "
                           "file, or a Hugging Face folder{}",
                           bytes.name, bytes.size(), hint)};
}

Result<Checkpoint> finish(RawCheckpoint raw, const OpenOptions& options) {
  CHORUS_TRY(Checkpoint checkpoint, assemble(std::move(raw), options));
  CHORUS_TRY(choose_tokenizer(checkpoint, options));
  return Result<Checkpoint>(std::move(checkpoint));
}

}  // namespace

Result<Checkpoint> open(const std::string& path, const OpenOptions& options) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    CHORUS_TRY(RawCheckpoint raw, read_huggingface_folder(path));
    return finish(std::move(raw), options);
  }
  CHORUS_TRY(Bytes bytes, map_file(path));
  std::string beside = std::filesystem::path(path).parent_path() / "config.json";
  CHORUS_TRY(RawCheckpoint raw, read_bytes(bytes, beside));
  return finish(std::move(raw), options);
}

Result<Checkpoint> open(const Bytes& bytes, const OpenOptions& options) {
  CHORUS_TRY(RawCheckpoint raw, read_bytes(bytes, ""));
  return finish(std::move(raw), options);
}

}  // namespace chorus::checkpoint
