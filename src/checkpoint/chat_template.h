// The chat template of a folder for transformers: how its program makes one text of messages, in
// Jinja. It is only found here; jinja/ renders it.
#pragma once

#include <filesystem>
#include <string>

#include "chorus/error.h"

namespace chorus::checkpoint {

// chat_template.jinja, or chat_template in tokenizer_config.json or chat_template.json, of several the one
// named "default"; as transformers looks for it. Empty: the folder has none.
// Errors: kCorrupt, kUnsupported, kIo, naming the file.
Result<std::string> read_chat_template(const std::filesystem::path& folder);

}  // namespace chorus::checkpoint
