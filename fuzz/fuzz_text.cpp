// Any bytes in any encoding: what comes of them is UTF-8, is the same whatever is asked of the
// well-formed unless it shows itself to be in another encoding, and JSON of it is read or refused, its
// members as they are written. libFuzzer; the first byte says which encoding.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "core/text_encoding.h"
#include "core/utf8.h"
#include "json/members.h"
#include "json/parse.h"

namespace {

constexpr std::array kEncodings = {"",          "utf-16", "utf-16-be", "utf-32",      "cp1252",
                                   "shift_jis", "euc-jp", "big5",      "iso-2022-jp", "gb18030",
                                   "utf-7"};

void require(bool promise) {
  if (!promise) std::abort();
}

// That the members as they are written are those that are read.
void check_members(const std::string& text) {
  auto object = chorus::parse_json_object(text);
  if (!object) return;
  auto members = chorus::json_members(text);
  require(members.size() == object.assume_value().size());
  auto member = members.begin();
  for (const auto& field : object.assume_value()) {
    auto name = chorus::parse_json(member->name), value = chorus::parse_json(member->value);
    require(name && name.assume_value() == field.key());
    require(value && value.assume_value() == field.value());
    ++member;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string name = kEncodings[data[0] % kEncodings.size()];
  auto strict = chorus::to_utf8(bytes, {name, false});
  auto replaced = chorus::to_utf8(bytes, {name, true});
  bool is_other = name.empty() ? !chorus::encoding_of_zeros(bytes).empty()
                               : !chorus::other_encoding(bytes, name).empty();
  require(replaced.has_value() == !is_other);
  require(is_other || chorus::is_well_formed(replaced.assume_value()));
  if (strict) require(strict.assume_value() == replaced.assume_value());
  require(!name.empty() || strict.has_value() == (chorus::is_well_formed(bytes) && !is_other));
  if (replaced) check_members(replaced.assume_value());
  check_members(bytes);
  return 0;
}
