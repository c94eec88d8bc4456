// What kind of checkpoint a path or some bytes are, told by content and never by name.

#include <filesystem>
#include <system_error>

#include "checkpoint/model_tokenizer.h"
#include "checkpoint/raw.h"
#include "checkpoint/safetensors/huggingface.h"
#include "checkpoint/safetensors/safetensors.h"
#include "checkpoint/weights_file.h"

namespace chorus::checkpoint {
namespace {

Result<RawCheckpoint> read_place(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return read_huggingface_folder(path);
  CHORUS_TRY(Bytes bytes, map_file(path));
  std::string beside = std::filesystem::path(path).parent_path() / "config.json";
  if (looks_like_safetensors(bytes)) return read_lone_safetensors(bytes, beside);
  CHORUS_TRY(RawCheckpoint raw, read_weights_file(bytes));
  CHORUS_TRY(read_config_beside(beside, raw));
  return Result<RawCheckpoint>(std::move(raw));
}

}  // namespace

Result<RawCheckpoint> read_raw(const std::string& path) {
  CHORUS_TRY(RawCheckpoint raw, read_place(path));
  raw.tokenizer_hints.place = raw.path;  // a folder may lead on to another
  return raw;
}

Result<Checkpoint> finish(RawCheckpoint raw, const OpenOptions& options) {
  TokenizerHints hints = std::move(raw.tokenizer_hints);
  CHORUS_TRY(Checkpoint checkpoint, assemble(std::move(raw), options));
  CHORUS_TRY(choose_tokenizer(checkpoint, hints, options));
  return Result<Checkpoint>(std::move(checkpoint));
}

Result<Checkpoint> open(const std::string& path, const OpenOptions& options) {
  CHORUS_TRY(RawCheckpoint raw, read_raw(path));
  return finish(std::move(raw), options);
}

Result<Checkpoint> open(const Bytes& bytes, const OpenOptions& options) {
  CHORUS_TRY(RawCheckpoint raw, read_weights_file(bytes));
  return finish(std::move(raw), options);
}

}  // namespace chorus::checkpoint
