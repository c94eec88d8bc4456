// Any bytes in any encoding: what comes of them is UTF-8, is the same whatever is asked of the
// well-formed, and JSON of it is read or refused. libFuzzer; the first byte says which encoding.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/text_encoding.h"
#include "core/utf8.h"
#include "json/parse.h"

namespace {

constexpr std::array kEncodings = {"",          "utf-16", "utf-16-be", "utf-32",      "cp1252",
                                   "shift_jis", "euc-jp", "big5",      "iso-2022-jp", "gb18030",
                                   "utf-7"};

void require(bool promise) {
  if (!promise) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string name = kEncodings[data[0] % kEncodings.size()];
  auto strict = chorus::to_utf8(bytes, {name, false});
  auto replaced = chorus::to_utf8(bytes, {name, true});
  require(replaced.has_value() && chorus::is_well_formed(replaced.assume_value()));
  if (strict) require(strict.assume_value() == replaced.assume_value());
  require(!name.empty() || strict.has_value() == chorus::is_well_formed(bytes));
  (void)chorus::parse_json(replaced.assume_value());
  (void)chorus::parse_json(bytes);
  return 0;
}
