// Rows about tokens that are held until it is certain that the tokens are part of the text: a stop
// string may yet cut them off. One thread at a time.
#pragma once

#include <cstddef>
#include <deque>
#include <utility>

namespace chorus::server {

// `Row` has bytes().
template <class Row>
class HeldRows {
 public:
  // `begin`: the number of the text's character at which the row's token begins.
  void add(std::size_t begin, Row row) {
    bytes_ += row.bytes();
    rows_.emplace_back(begin, std::move(row));
  }

  // Gives out the rows of tokens that begin before that character.
  template <class Take>
  void release(std::size_t characters, Take take) {
    for (; !rows_.empty() && rows_.front().first < characters; rows_.pop_front()) {
      bytes_ -= rows_.front().second.bytes();
      take(std::move(rows_.front().second));
    }
  }

  std::size_t bytes() const { return bytes_; }

 private:
  std::deque<std::pair<std::size_t, Row>> rows_;
  std::size_t bytes_ = 0;
};

}  // namespace chorus::server
