#include "core/text_encoding.h"

#include <fmt/format.h>
#include <iconv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "core/error_text.h"
#include "core/printable.h"
#include "core/utf8.h"

namespace chorus {
namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";  // U+FEFF in UTF-8

// "UTF_16-LE" and "utf-16le" as "utf16le", under which most names of Python's are glibc's, too.
std::string simple_name(std::string_view name) {
  std::string simple;
  for (char c : name) {
    if (c == '-' || c == '_' || c == ' ') continue;
    simple += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return simple;
}

// Bytes that are skipped together where they are ill-formed.
std::size_t unit_size(const std::string& simple) {
  if (simple.starts_with("utf16") || simple.starts_with("ucs2")) return 2;
  return simple.starts_with("utf32") || simple.starts_with("ucs4") ? 4 : 1;
}

Error ill_formed(std::string_view encoding, std::string_view bytes, std::size_t offset,
                 bool is_cut) {
  std::string what = fmt::format("not {} at byte {}", encoding, offset);
  if (is_cut) return corrupt(what + ": it ends inside a character");
  return corrupt(fmt::format("{} (0x{:02x})", what, static_cast<std::uint8_t>(bytes[offset])));
}

// One conversion to UTF-8 by iconv.
class Converter {
 public:
  static Result<Converter> open(const std::string& name) {
    // Nothing but a name: "//IGNORE" and the like are iconv's own options.
    bool is_name = name.size() <= 64 && std::ranges::all_of(name, [](char c) {
                     return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                            (c >= 'A' && c <= 'Z') ||
                            std::string_view("-_.:+() ").find(c) != std::string_view::npos;
                   });
    if (is_name && !name.empty()) {
      for (const std::string& spelling : {name, simple_name(name)}) {
        iconv_t state = iconv_open("UTF-8", spelling.c_str());
        if (state != kNone) return Converter(state);
      }
    }
    return Error{ErrorCode::kInvalidArgument,
                 "expected an encoding that iconv knows, as utf-16, latin-1 or cp1252, found " +
                     in_quotes(name)};
  }

  Converter(Converter&& other) noexcept : state_(std::exchange(other.state_, kNone)) {}
  Converter(const Converter&) = delete;
  ~Converter() {
    if (state_ != kNone) iconv_close(state_);
  }

  Result<std::string> convert(std::string_view bytes, const TextEncoding& encoding) {
    std::size_t unit = unit_size(simple_name(encoding.name));
    std::string text;
    text.reserve(bytes.size());
    while (!bytes_done(bytes)) {
      int reason = step(bytes, text);
      if (reason == 0 || reason == E2BIG) continue;
      std::size_t left = bytes.size() - used_;
      if (!encoding.replace_invalid) {
        return ill_formed(encoding.name, bytes, used_, reason == EINVAL);
      }
      text += kReplacementCharacter;
      used_ += reason == EINVAL ? left : std::min(unit, left);
    }
    flush(text);
    return text;
  }

 private:
  static inline const iconv_t kNone = reinterpret_cast<iconv_t>(-1);

  explicit Converter(iconv_t state) : state_(state) {}

  bool bytes_done(std::string_view bytes) const { return used_ == bytes.size(); }

  // Converts as far as it goes; why it stopped, or 0.
  int step(std::string_view bytes, std::string& text) {
    char* in = const_cast<char*>(bytes.data()) + used_;  // iconv does not write there
    std::size_t left = bytes.size() - used_;
    char* out = buffer_.data();
    std::size_t room = buffer_.size();
    bool failed = iconv(state_, &in, &left, &out, &room) == static_cast<std::size_t>(-1);
    int reason = failed ? errno : 0;
    text.append(buffer_.data(), buffer_.size() - room);
    bool moved = bytes.size() - left != used_ || room != buffer_.size();
    used_ = bytes.size() - left;
    return reason == E2BIG && !moved ? EILSEQ : reason;  // whatever happens, it ends
  }

  // What a shift state has held back.
  void flush(std::string& text) {
    char* out = buffer_.data();
    std::size_t room = buffer_.size();
    iconv(state_, nullptr, nullptr, &out, &room);
    text.append(buffer_.data(), buffer_.size() - room);
  }

  iconv_t state_;
  std::size_t used_ = 0;  // of the bytes
  std::array<char, 1 << 14> buffer_;
};

// That a byte order which is named is not the other one of the mark.
Result<void> check_order(const std::string& simple, std::string_view bytes) {
  std::string_view mark = encoding_of_mark(bytes);
  bool is_wide = simple.starts_with("utf16") || simple.starts_with("utf32");
  if (!is_wide || mark != (simple.starts_with("utf16") ? "utf-16" : "utf-32")) return ok();
  bool is_little = bytes[0] == '\xFF';
  if (!simple.ends_with(is_little ? "be" : "le")) return ok();
  return corrupt(fmt::format("not {}: it begins with the byte order mark of {}-{}", simple, mark,
                             is_little ? "le" : "be"));
}

Result<std::string> utf8_text(std::string bytes, bool replace_invalid) {
  std::size_t mark = bytes.starts_with(kMark) ? kMark.size() : 0;
  std::size_t good = well_formed_length(bytes);
  if (good < bytes.size() && !replace_invalid) {
    if (auto other = encoding_of_mark(bytes); good == 0 && !other.empty()) {
      return corrupt(fmt::format("not utf-8: it begins with the byte order mark of {}", other));
    }
    auto unit = first_utf8_unit(std::string_view(bytes).substr(good));
    return ill_formed("utf-8", bytes, good, unit.kind == Utf8Unit::Kind::kIncomplete);
  }
  if (auto other = encoding_of_zeros(bytes); !other.empty()) {
    return corrupt(fmt::format("not utf-8: every other byte is zero, as in {}", other));
  }
  if (good < bytes.size()) return replace_ill_formed(std::string_view(bytes).substr(mark));
  bytes.erase(0, mark);
  return bytes;
}

}  // namespace

bool is_utf8(const TextEncoding& encoding) {
  std::string simple = simple_name(encoding.name);
  return simple.empty() || simple == "utf8" || simple == "utf8sig";
}

Result<void> check_encoding(const std::string& name) {
  if (!name.empty() && is_utf8({name})) return ok();
  CHORUS_TRY(Converter::open(name));
  return ok();
}

std::string_view encoding_of_mark(std::string_view bytes) {
  using namespace std::string_view_literals;
  if (bytes.starts_with(kMark)) return "utf-8";
  if (bytes.starts_with("\xFF\xFE\0\0"sv) || bytes.starts_with("\0\0\xFE\xFF"sv)) return "utf-32";
  if (bytes.starts_with("\xFF\xFE"sv) || bytes.starts_with("\xFE\xFF"sv)) return "utf-16";
  return {};
}

std::string_view encoding_of_zeros(std::string_view bytes) {
  const std::size_t pairs = std::min<std::size_t>(bytes.size(), 64) / 2;
  if (pairs < 2) return {};
  std::size_t first = 0, second = 0;
  for (std::size_t i = 0; i < pairs; ++i) {
    if (bytes[2 * i] == '\0') ++first;
    if (bytes[2 * i + 1] == '\0') ++second;
  }
  if (first == 0 && 4 * second >= 3 * pairs) return "utf-16le";
  return second == 0 && 4 * first >= 3 * pairs ? "utf-16be" : std::string_view();
}

std::string_view other_encoding(std::string_view bytes, const std::string& name) {
  const std::string simple = simple_name(name);
  const bool is_utf16 = simple.starts_with("utf16") || simple.starts_with("ucs2");
  const bool is_utf32 = simple.starts_with("utf32") || simple.starts_with("ucs4");
  if (std::string_view mark = encoding_of_mark(bytes); !mark.empty()) {
    std::string_view own = is_utf16          ? "utf-16"
                           : is_utf32        ? "utf-32"
                           : is_utf8({name}) ? "utf-8"
                                             : "";
    return mark == own ? std::string_view() : mark;
  }
  std::string_view zeros = encoding_of_zeros(bytes);
  std::string_view order = simple.ends_with("be") ? "utf-16be" : "utf-16le";  // iconv's for utf-16
  return is_utf32 || (is_utf16 && zeros == order) ? std::string_view() : zeros;
}

std::string_view without_marks(std::string_view text) {
  while (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  return text;
}

Result<std::string> to_utf8(std::string bytes, const TextEncoding& encoding) {
  if (is_utf8(encoding)) return utf8_text(std::move(bytes), encoding.replace_invalid);
  CHORUS_TRY(Converter converter, Converter::open(encoding.name));
  std::string simple = simple_name(encoding.name);
  if (auto other = other_encoding(bytes, encoding.name); !other.empty()) {
    return corrupt(
        encoding_of_mark(bytes).empty()
            ? fmt::format("not {}: every other byte is zero, as in {}", encoding.name, other)
            : fmt::format("not {}: it begins with the byte order mark of {}", encoding.name,
                          other));
  }
  if (!encoding.replace_invalid) {
    CHORUS_TRY(check_order(simple, bytes));
  }
  CHORUS_TRY(std::string text, converter.convert(bytes, encoding));
  // Where the name leaves the byte order open, the mark is part of the encoding and gone already.
  bool is_gone = simple == "utf16" || simple == "utf32";
  if (!is_gone && text.starts_with(kMark)) text.erase(0, kMark.size());
  return text;
}

}  // namespace chorus
