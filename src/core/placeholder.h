// What stands in the place of a file that was not fetched: a Git LFS pointer, or a web page that a
// download ended at. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace chorus {

// Says what the bytes of a file are and what to do, as "is a Git LFS pointer, ...: fetch ...";
// nothing if they are neither.
std::optional<std::string> placeholder_message(std::string_view bytes);

}  // namespace chorus
