#include "tokenizer/stream_decoder.h"

#include "core/utf8.h"

namespace chorus::tokenizer {

std::string StreamDecoder::push(std::string_view bytes) {
  held_ += bytes;
  std::string text;
  std::size_t used = append_well_formed(held_, text);
  held_.erase(0, used);
  return text;
}

std::string StreamDecoder::finish() {
  bool incomplete = !held_.empty();
  held_.clear();
  return incomplete ? std::string(kReplacementCharacter) : std::string();
}

}  // namespace chorus::tokenizer
