// Files and folders that are not read, recognised, each with the way out. By content; by name only
// where the content of a format tells nothing. Pure, but for foreign_folder(), which looks at names.
#pragma once

#include <string>

#include "core/bytes.h"

namespace chorus::checkpoint {

// Why bytes that are neither of PyTorch's formats nor safetensors cannot be opened, and what to do;
// begins with their name.
Error foreign_file(const Bytes& bytes);

// The same for a folder in which no model was found. `what` says what was missed: "weights".
Error foreign_folder(const std::string& folder, const std::string& what);

}  // namespace chorus::checkpoint
