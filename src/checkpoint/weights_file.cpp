#include "checkpoint/weights_file.h"

#include "checkpoint/foreign.h"
#include "checkpoint/pytorch/zip.h"
#include "checkpoint/safetensors/huggingface.h"
#include "checkpoint/safetensors/safetensors.h"

namespace chorus::checkpoint {

Result<RawCheckpoint> read_weights_file(const Bytes& bytes) {
  if (looks_like_pytorch(bytes)) return read_pytorch(bytes);
  if (looks_like_safetensors(bytes)) return read_lone_safetensors(bytes, "");
  // A zip is read from its end, and something may stand in front of it.
  if (ZipArchive::open(bytes.data)) return read_pytorch(bytes);
  return foreign_file(bytes);
}

}  // namespace chorus::checkpoint
