#include "jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "core/printable.h"

namespace chorus::jinja {
namespace {

constexpr std::array<std::string_view, 25> kOperators = {
    "==", "!=", "<=", ">=", "//", "**", "(", ")", "[", "]", "{", "}", ",",
    ":",  ".",  "|",  "~",  "+",  "-",  "*", "/", "%", "<", ">", "="};

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// As Jinja reads a file: each line's end is "\n", and one at the end of all is left out.
std::string normalized(std::string_view source) {
  std::string result;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
      result += '\n';
    } else {
      result += source[i];
    }
  }
  if (result.ends_with('\n')) result.pop_back();
  return result;
}

void append_utf8(std::uint32_t code_point, std::string& out) {
  auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code_point < 0x80) return put(code_point);
  if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
  } else {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
  }
  put(0x80 | (code_point & 0x3F));
}

class Lexer {
 public:
  explicit Lexer(std::string source) : source_(std::move(source)) {}

  Result<std::vector<Piece>> run() {
    while (at_ < source_.size()) {
      std::size_t begin = std::min({find("{{"), find("{%"), find("{#")});
      if (begin == std::string::npos) {
        add_text(source_.substr(at_));
        break;
      }
      std::string text = source_.substr(at_, begin - at_);
      char kind = source_[begin + 1];
      std::size_t inside = begin + 2;
      char sign = inside < source_.size() ? source_[inside] : '\0';
      if (sign == '-' || (sign == '+' && kind != '{')) ++inside;
      if (sign == '-') {
        while (!text.empty() && is_space(text.back())) text.pop_back();
      } else if (sign != '+' && kind != '{') {
        take_off_indentation(text);
      }
      line_ += lines_of(at_, begin);
      add_text(std::move(text));
      at_ = inside;
      if (kind == '#') {
        CHORUS_TRY(skip_comment());
      } else {
        CHORUS_TRY(read_inside(kind));
      }
    }
    return std::move(pieces_);
  }

 private:
  std::size_t find(const char* what) const { return source_.find(what, at_); }
  std::size_t lines_of(std::size_t begin, std::size_t end) const {
    return static_cast<std::size_t>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(begin),
                                               source_.begin() + static_cast<std::ptrdiff_t>(end),
                                               '\n'));
  }
  bool stands(std::string_view what) const {
    return std::string_view(source_).substr(at_).starts_with(what);
  }

  void add_text(std::string text) {
    if (text.empty()) return;
    pieces_.push_back({Piece::Kind::kText, std::move(text), {}, line_});
  }

  // White space between a line's begin and a statement.
  void take_off_indentation(std::string& text) const {
    std::size_t begin = text.rfind('\n') + 1;  // 0: there is none
    if (begin == 0 && !at_line_begin_) return;
    if (std::all_of(text.begin() + static_cast<std::ptrdiff_t>(begin), text.end(), is_space)) {
      text.resize(begin);
    }
  }

  // What a tag's end takes off behind it.
  void skip_behind(char sign, bool takes_line_end) {
    std::size_t begin = at_;
    if (sign == '-') {
      while (at_ < source_.size() && is_space(source_[at_])) ++at_;
    } else if (takes_line_end && sign != '+' && stands("\n")) {
      ++at_;
    }
    line_ += lines_of(begin, at_);
    at_line_begin_ = at_ > 0 && source_[at_ - 1] == '\n';
  }

  Result<void> skip_comment() {
    std::size_t end = find("#}");
    if (end == std::string::npos)
      return at_line(line_, ErrorCode::kCorrupt, "a comment without its #}");
    char sign = end > at_ ? source_[end - 1] : '\0';
    line_ += lines_of(at_, end);
    at_ = end + 2;
    skip_behind(sign, true);
    return ok();
  }

  Result<void> read_inside(char kind) {
    bool is_print = kind == '{';
    std::string_view end = is_print ? "}}" : "%}";
    Piece piece{is_print ? Piece::Kind::kPrint : Piece::Kind::kStatement, {}, {}, line_};
    int braces = 0;
    while (true) {
      while (at_ < source_.size() && is_space(source_[at_]))
        line_ += source_[at_++] == '\n' ? 1 : 0;
      if (at_ == source_.size()) {
        return at_line(piece.line, ErrorCode::kCorrupt, fmt::format("no {} to its end", end));
      }
      if (braces == 0) {
        char sign = source_[at_] == '-' || (source_[at_] == '+' && !is_print) ? source_[at_] : '\0';
        if (std::string_view(source_).substr(at_ + (sign != '\0')).starts_with(end)) {
          at_ += end.size() + (sign != '\0');
          skip_behind(sign, !is_print);
          break;
        }
      }
      CHORUS_TRY(Token token, next());
      if (token.is_operator("{")) ++braces;
      if (token.is_operator("}")) --braces;
      piece.tokens.push_back(std::move(token));
    }
    piece.tokens.emplace_back();
    pieces_.push_back(std::move(piece));
    return ok();
  }

  Result<Token> next() {
    char c = source_[at_];
    if (c == '"' || c == '\'') return string(c);
    std::size_t begin = at_;
    if (is_letter(c)) {
      while (at_ < source_.size() && (is_letter(source_[at_]) || is_digit(source_[at_]))) ++at_;
      return Token{Token::Kind::kName, source_.substr(begin, at_ - begin)};
    }
    if (is_digit(c)) return number();
    for (std::string_view one : kOperators) {
      if (!stands(one)) continue;
      at_ += one.size();
      return Token{Token::Kind::kOperator, std::string(one)};
    }
    return at_line(line_, ErrorCode::kCorrupt,
                   fmt::format("{} does not belong there", in_quotes(source_.substr(at_, 1))));
  }

  Result<Token> number() {
    Token token{Token::Kind::kInteger, {}};
    const char* end = source_.data() + source_.size();
    auto [rest, problem] = std::from_chars(source_.data() + at_, end, token.integer);
    bool has_more =
        rest != end && (is_letter(*rest) || (*rest == '.' && rest + 1 != end && is_digit(rest[1])));
    if (problem != std::errc() || has_more) {
      return at_line(line_, ErrorCode::kUnsupported, "a number that is not a small whole one");
    }
    at_ = static_cast<std::size_t>(rest - source_.data());
    return token;
  }

  // With Python's escapes.
  Result<Token> string(char quote) {
    Token token{Token::Kind::kString, {}};
    std::size_t line = line_;
    for (++at_; at_ < source_.size(); ++at_) {
      char c = source_[at_];
      if (c == quote) {
        ++at_;
        return token;
      }
      if (c == '\n') ++line_;
      if (c != '\\' || at_ + 1 == source_.size()) {
        token.text += c;
        continue;
      }
      ++at_;
      if (!add_escape(token.text)) {
        return at_line(line_, ErrorCode::kUnsupported,
                       fmt::format("the escape \\{} in a string", source_[at_]));
      }
    }
    return at_line(line, ErrorCode::kCorrupt, "a string without its end");
  }

  // `at_` is behind the backslash, and then at the escape's last character.
  bool add_escape(std::string& out) {
    constexpr std::string_view kNames = "ntrbfva\\'\"", kMeant = "\n\t\r\b\f\v\a\\'\"";
    char c = source_[at_];
    if (auto found = kNames.find(c); found != std::string_view::npos) {
      out += kMeant[found];
      return true;
    }
    if (c == '\n') return true;  // a line that goes on
    if (c == 'x' || c == 'u') {
      std::size_t digits = c == 'x' ? 2 : 4;
      if (at_ + digits >= source_.size()) return false;
      std::uint32_t code_point = 0;
      const char* begin = source_.data() + at_ + 1;
      auto [end, problem] = std::from_chars(begin, begin + digits, code_point, 16);
      bool is_half = code_point >= 0xD800 && code_point < 0xE000;  // of a character over U+FFFF
      if (problem != std::errc() || end != begin + digits || is_half) return false;
      append_utf8(code_point, out);
      at_ += digits;
      return true;
    }
    if (is_digit(c) || c == 'N' || c == 'U') return false;
    out += '\\';
    out += c;
    return true;
  }

  std::string source_;
  std::size_t at_ = 0, line_ = 1;
  bool at_line_begin_ = true;  // whether `at_` is
  std::vector<Piece> pieces_;
};

}  // namespace

Error at_line(std::size_t line, ErrorCode code, std::string_view what) {
  return {code, fmt::format("line {}: {}", line, what)};
}

Result<std::vector<Piece>> split(std::string_view source) {
  return Lexer(normalized(source)).run();
}

}  // namespace chorus::jinja
