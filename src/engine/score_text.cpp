#include "engine/score_text.h"

#include "core/text_encoding.h"
#include "tokenizer/word_ends.h"

namespace chorus {

Result<std::vector<std::int32_t>> encode_to_score(const Engine& engine, std::string_view text,
                                                  bool special) {
  return engine.encode(without_marks(text), special);
}

bool is_blank(std::string_view text) {
  text = without_marks(text);
  return tokenizer::space_at_begin(text) == text.size();
}

}  // namespace chorus
