// Bytes as they lie in somebody's file become UTF-8, or an error that names the byte. Encodings
// other than UTF-8 are iconv's. It guesses nothing: a byte order mark is recognised, but what is in
// another encoding is converted only if that is named. Pure functions: any thread may call them.
#pragma once

#include <string>
#include <string_view>

#include "chorus/error.h"

namespace chorus {

struct TextEncoding {
  std::string name = {};  // in iconv's spelling or Python's; empty: UTF-8
  // U+FFFD for what is ill-formed, as Python's bytes.decode(errors="replace").
  bool replace_invalid = false;
};

// Whether the name means UTF-8, in which lines can be told apart before they are converted.
bool is_utf8(const TextEncoding& encoding);

// Errors: kInvalidArgument for a name that is not known.
Result<void> check_encoding(const std::string& name);

// The encoding whose byte order mark `bytes` begin with: "utf-8", "utf-16" or "utf-32"; empty if
// there is none. All but the first cannot be UTF-8.
std::string_view encoding_of_mark(std::string_view bytes);

// "utf-16le" or "utf-16be" where every other byte at the beginning is zero, as no text in UTF-8 has
// them; else empty.
std::string_view encoding_of_zeros(std::string_view bytes);

// What `bytes` are in by their byte order mark or their zeros, if that is not the encoding of this name
// ("": UTF-8); else empty.
std::string_view other_encoding(std::string_view bytes, const std::string& name);

// The text without the byte order marks in front: one in UTF-8, or more where files were joined.
std::string_view without_marks(std::string_view text);

// The text, without a byte order mark. Errors: kCorrupt, with the offset of the first byte that is
// ill-formed, or for bytes that show themselves to be in another encoding; kInvalidArgument as check_encoding().
Result<std::string> to_utf8(std::string bytes, const TextEncoding& encoding);

}  // namespace chorus
