// A long body in pieces, of which several places may hold one: what is written several times is
// held once. One thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace chorus::server {

using BodyPiece = std::shared_ptr<const std::string>;

class BodyPieces {
 public:
  // Short texts are joined to one piece.
  void add(std::string_view text) {
    size_ += text.size();
    short_ += text;
    if (short_.size() >= kShort) end_short();
  }
  void add(std::string&& text) {
    if (text.size() < kShort) return add(std::string_view(text));
    add(std::make_shared<const std::string>(std::move(text)));
  }
  void add(const char* text) { add(std::string_view(text)); }
  void add(BodyPiece piece) {
    if (piece->size() < kShort) return add(std::string_view(*piece));
    end_short();
    size_ += piece->size();
    pieces_.push_back(std::move(piece));
  }

  void add(BodyPieces other) {
    for (BodyPiece& piece : other.take()) add(std::move(piece));
  }

  std::size_t size() const { return size_; }
  // In one text.
  std::string join() && {
    std::string text;
    text.reserve(size_);
    for (const BodyPiece& piece : take()) text += *piece;
    return text;
  }
  // All of them; none are left.
  std::vector<BodyPiece> take() {
    end_short();
    size_ = 0;
    return std::exchange(pieces_, {});
  }

 private:
  static constexpr std::size_t kShort = 16 * 1024;

  void end_short() {
    if (short_.empty()) return;
    pieces_.push_back(std::make_shared<const std::string>(std::exchange(short_, {})));
  }

  std::vector<BodyPiece> pieces_;
  std::string short_;
  std::size_t size_ = 0;
};

}  // namespace chorus::server
