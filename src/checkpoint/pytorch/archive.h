// What torch.save wrote, opened: the pickle, and the storages that it refers to by their keys.
// There are two formats, the zip archive (since version 1.6) and the one before it. Neither looks
// into the pickle for what it means (state_dict.cpp, pytorch.cpp).
#pragma once

#include <memory>
#include <string_view>

#include "checkpoint/pytorch/pickle.h"
#include "core/bytes.h"

namespace chorus::checkpoint {

// The bytes of storages. They stay where they are as long as this, and the file's bytes, live. One
// thread at a time: compressed ones are decompressed when they are asked for.
class Storages {
 public:
  virtual ~Storages() = default;

  // Errors: kCorrupt and kUnsupported, naming the storage.
  virtual Result<std::span<const std::byte>> find(std::string_view key) = 0;
};

struct PytorchArchive {
  Pickle pickle;
  std::shared_ptr<Storages> storages;
};

// A zip with a NAME/data.pkl. Errors: kCorrupt and kUnsupported.
Result<PytorchArchive> open_zip_archive(const Bytes& bytes);

// Whether the bytes begin as the format before version 1.6 does.
bool looks_like_legacy_archive(const Bytes& bytes);

// Errors: kCorrupt and kUnsupported.
Result<PytorchArchive> open_legacy_archive(const Bytes& bytes);

}  // namespace chorus::checkpoint
