// How long prompt and result may be together, from what somebody asks for: a Request's max_length. The
// command line and the server use it, so that they agree. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "chorus/error.h"
#include "chorus/export.h"
#include "chorus/request.h"

namespace chorus {

inline constexpr std::int32_t kDefaultMaxLength = 100;  // or the block size, if that is less

// One of the two, or neither.
struct LengthAsked {
  std::optional<std::int32_t> max_length = {};  // tokens of prompt and result together, at least 1
  std::optional<std::int32_t> max_new_tokens = {};  // of the result alone, at least 1
};

// Tokens of prompt and result together, at most `block_size` unless `past_block` is kCrop. Errors:
// kInvalidArgument, naming the field, for what that does not hold, and for a prompt longer than was
// asked for or than the default; `helps` names what can be given then.
CHORUS_EXPORT Result<std::int32_t> total_length(const LengthAsked& asked, std::size_t prompt_tokens,
                                                PastBlock past_block, std::int32_t block_size,
                                                std::string_view helps);

}  // namespace chorus
