// Hashes of files, and what an etag says of one. Any thread may call.
#pragma once

#include <string>

#include "chorus/error.h"

namespace chorus::hub {

enum class DigestKind {
  kNone,     // the etag is not a hash that is known here
  kSha256,   // 64 hexadecimal digits: Hugging Face's etag of a large file
  kGitBlob,  // 40: sha1 of "blob <size>\0" and the content, the etag of a small file
};

struct StatedDigest {
  DigestKind kind = DigestKind::kNone;
  std::string hex;  // lower case
};

// Of an etag as it stands in a header: with quotes, perhaps weak (W/"...").
StatedDigest stated_digest(const std::string& etag);

// The hash of the whole file `path` in lower-case hexadecimal digits; `kind` is not kNone.
// Errors: kIo.
Result<std::string> file_digest(const std::string& path, DigestKind kind);

const char* digest_name(DigestKind kind);  // "sha256" or "git blob sha1"

}  // namespace chorus::hub
