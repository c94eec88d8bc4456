#include "json/text.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <cmath>
#include <cstdint>

#include "core/utf8.h"

namespace chorus {
namespace {

namespace json = boost::json;

// The code point of a well-formed character.
std::uint32_t code_point(std::string_view character) {
  constexpr std::uint32_t kOfFirst[] = {0x7f, 0x1f, 0x0f, 0x07};  // by the length in bytes
  std::uint32_t point = static_cast<unsigned char>(character[0]) & kOfFirst[character.size() - 1];
  for (char c : character.substr(1)) point = point << 6 | (static_cast<unsigned char>(c) & 0x3f);
  return point;
}

class Excerpt {
 public:
  void add(const json::value& value) {
    if (const auto* text = value.if_string()) {
      add_string({text->data(), text->size()});
    } else if (const auto* array = value.if_array()) {
      add_array(*array);
    } else if (const auto* object = value.if_object()) {
      add_object(*object);
    } else if (const auto* number = value.if_double()) {
      append(std::isfinite(*number) ? json_number(*number)
                                    : std::string(*number > 0 ? "Infinity" : "-Infinity"));
    } else {
      append(json::serialize(value));
    }
  }

  void add_string(std::string_view text) {
    append("\"");
    while (!text.empty() && !is_cut_) {
      Utf8Unit unit = first_utf8_unit(text);
      append(escaped(unit, text.substr(0, unit.length)));
      text.remove_prefix(unit.length);
    }
    append("\"");
  }

  std::string take() { return is_cut_ ? text_ + "..." : std::move(text_); }

 private:
  static constexpr std::size_t kLongest = 80;

  static std::string escaped(const Utf8Unit& unit, std::string_view bytes) {
    if (unit.kind != Utf8Unit::Kind::kWhole) return "\\ufffd";
    char c = bytes[0];
    if (c == '"' || c == '\\') return {'\\', c};
    if (c == '\n') return "\\n";
    if (c >= ' ' && c <= '~') return {c};
    std::uint32_t point = code_point(bytes);
    if (point < 0x10000) return fmt::format("\\u{:04x}", point);
    point -= 0x10000;
    return fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + (point >> 10), 0xdc00 + (point & 0x3ff));
  }

  void add_array(const json::array& array) {
    append("[");
    for (std::size_t i = 0; i < array.size() && !is_cut_; ++i) {
      if (i > 0) append(", ");
      add(array[i]);
    }
    append("]");
  }

  void add_object(const json::object& object) {
    append("{");
    for (auto field = object.begin(); field != object.end() && !is_cut_; ++field) {
      if (field != object.begin()) append(", ");
      add_string({field->key().data(), field->key().size()});
      append(": ");
      add(field->value());
    }
    append("}");
  }

  void append(std::string_view piece) {
    if (is_cut_ || text_.size() + piece.size() > kLongest) {
      is_cut_ = true;
    } else {
      text_ += piece;
    }
  }

  std::string text_;
  bool is_cut_ = false;
};

}  // namespace

std::string json_number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

std::string json_number(const std::optional<double>& value) {
  return value ? json_number(*value) : "null";
}

std::string json_string(std::string_view text) {
  if (is_well_formed(text)) return boost::json::serialize(boost::json::string_view(text));
  return boost::json::serialize(boost::json::string_view(replace_ill_formed(text)));
}

std::string json_excerpt(const boost::json::value& value) {
  Excerpt excerpt;
  excerpt.add(value);
  return excerpt.take();
}

std::string json_string_excerpt(std::string_view text) {
  Excerpt excerpt;
  excerpt.add_string(text);
  return excerpt.take();
}

std::string token_name(std::string_view bytes) {
  if (is_well_formed(bytes)) return std::string(bytes);
  std::string name = "bytes:";
  for (char c : bytes) name += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return name;
}

}  // namespace chorus
