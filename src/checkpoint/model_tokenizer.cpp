#include "checkpoint/model_tokenizer.h"

#include <fmt/format.h>

#include "tokenizer/byte_level_bpe.h"

namespace chorus::checkpoint {
namespace {

std::string why_none(std::int64_t vocab_size) {
  return fmt::format(
      "the model has a vocabulary of {} ids, which is not GPT-2's, and no tokenizer beside it: it "
      "takes ids alone",
      vocab_size);
}

}  // namespace

Result<void> choose_tokenizer(Checkpoint& checkpoint, const OpenOptions&) {
  if (checkpoint.config.vocab_size < tokenizer::kGpt2Size) {
    checkpoint.no_tokenizer = why_none(checkpoint.config.vocab_size);
    return ok();
  }
  checkpoint.tokenizer = tokenizer::Tokenizer::gpt2();
  checkpoint.token_ids = {.bos = tokenizer::kEndOfText, .eos = {tokenizer::kEndOfText}, .pad = {}};
  return ok();
}

}  // namespace chorus::checkpoint
