#include "hub/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "core/bytes.h"

namespace chorus::hub {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

std::string hex_digits(std::span<const unsigned char> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

char lower(char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

StatedDigest stated_digest(const std::string& etag) {
  std::string_view text = etag;
  if (text.starts_with("W/")) text.remove_prefix(2);
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  std::string hex(text);
  std::transform(hex.begin(), hex.end(), hex.begin(), lower);
  if (!std::all_of(hex.begin(), hex.end(), is_hex)) return {};
  if (hex.size() == 64) return {DigestKind::kSha256, hex};
  if (hex.size() == 40) return {DigestKind::kGitBlob, hex};
  return {};
}

Result<std::string> file_digest(const std::string& path, DigestKind kind) {
  CHORUS_TRY(Bytes file, map_file(path));
  std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  const EVP_MD* algorithm = kind == DigestKind::kSha256 ? EVP_sha256() : EVP_sha1();
  bool good = context && EVP_DigestInit_ex(context.get(), algorithm, nullptr) == 1;
  if (kind == DigestKind::kGitBlob) {
    std::string head = "blob " + std::to_string(file.size());
    good = good && EVP_DigestUpdate(context.get(), head.c_str(), head.size() + 1) == 1;
  }
  good = good && EVP_DigestUpdate(context.get(), file.data.data(), file.size()) == 1;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  good = good && EVP_DigestFinal_ex(context.get(), digest, &size) == 1;
  if (!good) return Error{ErrorCode::kIo, path + ": the hash could not be computed"};
  return hex_digits({digest, size});
}

const char* digest_name(DigestKind kind) {
  return kind == DigestKind::kSha256 ? "sha256" : "git blob sha1";
}

}  // namespace chorus::hub
