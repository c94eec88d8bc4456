// The known name that a misspelt one was meant for, for messages. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace chorus::cli {

// Few letters apart (left out, added, changed, two exchanged), whatever their case and with '_' as
// good as '-'. Empty if none is near.
std::string nearest_name(std::string_view misspelt, const std::vector<std::string>& known);

}  // namespace chorus::cli
