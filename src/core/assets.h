// The files that travel inside the binary. Read-only and immutable: any thread may read them.
#pragma once

#include "chorus/error.h"
#include "core/bytes.h"

namespace chorus {

// GPT-2's merges, `assets/gpt2/vocab.bpe`: a `#version` line, then one merge a line.
Bytes embedded_vocab_bpe();

// The default model, `assets/models/storyteller.safetensors`: a checkpoint in bf16. Errors: kNotFound
// in a build without it (CHORUS_EMBED_MODEL=OFF).
Result<Bytes> embedded_storyteller();

}  // namespace chorus
