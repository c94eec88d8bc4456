// Bytes that a client has sent and that nobody has used yet. Using n of them costs no more than n,
// amortised, however many wait behind them. One thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace chorus::server {

class InputBuffer {
 public:
  std::string_view unused() const { return std::string_view(bytes_).substr(begin_); }
  std::size_t size() const { return bytes_.size() - begin_; }
  std::size_t memory() const { return bytes_.capacity(); }

  void append(std::string_view bytes) { bytes_.append(bytes); }

  // The first `count` unused bytes are used.
  void consume(std::size_t count) {
    begin_ += count;
    if (begin_ == bytes_.size()) {
      if (bytes_.capacity() > kKept) std::string().swap(bytes_);
      bytes_.clear();
      begin_ = 0;
    } else if (begin_ >= bytes_.size() / 2) {
      bytes_.erase(0, begin_);
      begin_ = 0;
    }
  }

 private:
  static constexpr std::size_t kKept = 64 * 1024;  // of an empty one

  std::string bytes_;
  std::size_t begin_ = 0;
};

}  // namespace chorus::server
