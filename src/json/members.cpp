#include "json/members.h"

#include <cstddef>

namespace chorus {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  void skip() { ++at_; }
  void pass(std::string_view characters) {
    while (!at_end() && characters.find(text_[at_]) != std::string_view::npos) ++at_;
  }

  std::string_view string() {
    std::size_t begin = at_++;
    while (!at_end() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    return since(begin, ++at_);
  }

  // Up to the comma or brace behind it.
  std::string_view value() {
    std::size_t begin = at_, end = at_, depth = 0;
    while (!at_end()) {
      char c = text_[at_];
      if (depth == 0 && (c == ',' || c == '}')) break;
      if (c == '"') {
        string();
      } else {
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
        ++at_;
      }
      if (kSpace.find(c) == std::string_view::npos) end = at_;
    }
    return since(begin, end);
  }

 private:
  std::string_view since(std::size_t begin, std::size_t end) const {
    return text_.substr(begin, end - begin);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<JsonMember> json_members(std::string_view text) {
  std::vector<JsonMember> members;
  std::size_t begin = text.find('{');
  if (begin == std::string_view::npos) return members;
  Scanner scanner(text.substr(begin + 1));
  scanner.pass(kSpace);
  while (scanner.peek() == '"') {
    JsonMember member{.name = scanner.string(), .value = {}};
    scanner.pass(" \t\r\n:");
    member.value = scanner.value();
    members.push_back(member);
    scanner.pass(" \t\r\n,");
  }
  return members;
}

}  // namespace chorus
