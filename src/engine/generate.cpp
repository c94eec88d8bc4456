// Engine::generate: the loop of one sequence.

#include <algorithm>
#include <chrono>
#include <new>

#include "engine/engine_impl.h"
#include "engine/sampler.h"
#include "engine/stop_strings.h"
#include "tokenizer/tokenizer.h"

namespace chorus {
namespace {

using tokenizer::Tokenizer;

Error invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

Result<void> check_lengths(const Request& request, const ModelInfo& info) {
  if (request.prompt.empty()) return invalid("prompt: expected at least one token, found none");
  if (request.max_length < 1 || request.max_length > info.block_size) {
    return invalid("max_length: expected 1 to " + std::to_string(info.block_size) +
                   " (the model's block size), found " + std::to_string(request.max_length));
  }
  if (request.prompt.size() > static_cast<std::size_t>(request.max_length)) {
    return invalid("prompt: expected at most max_length = " + std::to_string(request.max_length) +
                   " tokens, found " + std::to_string(request.prompt.size()));
  }
  return ok();
}

// The text side of a generation: bytes of tokens become characters, stop strings are looked for,
// and what is certain goes to the caller.
class TextStream {
 public:
  // The prompt's bytes go through the same decoder, since a character may begin in the prompt and
  // end in the result; stop strings are not looked for in it. A first <|endoftext|> is no text.
  TextStream(const Request& request, const TextCallback& on_text)
      : stop_(request.stop), on_text_(on_text) {
    std::string prompt;
    for (std::size_t i = request.prompt.front() == kEndOfText ? 1 : 0; i < request.prompt.size();
         ++i) {
      prompt += decoder_.push(Tokenizer::gpt2().token_bytes(request.prompt[i]));
    }
    if (request.echo) {
      emit(prompt);
    } else {
      text_ = prompt;
    }
  }

  void push(std::int32_t id) { emit(stop_.push(decoder_.push(Tokenizer::gpt2().token_bytes(id)))); }
  void finish() {
    emit(stop_.push(decoder_.finish()));
    if (!stop_.found()) emit(stop_.finish());
  }
  bool ended() const { return stop_.found() || refused_; }
  const std::string& text() const { return text_; }

 private:
  void emit(const std::string& text) {
    if (text.empty() || refused_) return;
    text_ += text;
    if (on_text_ && !on_text_(text)) refused_ = true;
  }

  tokenizer::StreamDecoder decoder_;
  engine::StopStrings stop_;
  const TextCallback& on_text_;
  std::string text_;
  bool refused_ = false;
};

}  // namespace

Result<Completion> Engine::generate(const Request& request, const TextCallback& on_text) {
  CHORUS_TRY(check_lengths(request, info()));
  CHORUS_TRY(impl_->check_ids(request.prompt, "prompt"));
  CHORUS_TRY(check(request.sampling));
  auto start = std::chrono::steady_clock::now();
  std::lock_guard lock(impl_->turn);

  Completion completion;
  completion.tokens = request.prompt;
  auto max_length = static_cast<std::size_t>(request.max_length);
  std::int32_t usable = std::min(impl_->info.vocab_size, tokenizer::kVocabularySize);
  engine::Sampler sampler(request.sampling, &impl_->model->kernels());
  engine::KvSequence sequence(impl_->model->kv_layout());
  TextStream stream(request, on_text);
  try {
    sequence.reserve(max_length);
    std::size_t done = 0;  // tokens whose keys and values are in the pages
    while (completion.tokens.size() < max_length && !stream.ended()) {
      std::int32_t next = 0;
      std::span<const std::int32_t> ids = std::span(completion.tokens).subspan(done);
      done = completion.tokens.size();
      CHORUS_TRY(impl_->forward(ids, done - ids.size(), sequence, ids.size() - 1,
                                [&](std::size_t, std::span<const float> logits) -> Result<void> {
                                  CHORUS_TRY(next, sampler.sample(logits, usable));
                                  return ok();
                                }));
      completion.tokens.push_back(next);
      ++completion.generated;
      if (next == kEndOfText) {
        completion.finish_reason = FinishReason::kStop;
        break;
      }
      stream.push(next);
    }
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::kUnsupported, "not enough memory for keys and values of " +
                                              std::to_string(max_length) + " tokens"};
  }
  stream.finish();
  if (stream.ended()) completion.finish_reason = FinishReason::kStop;
  completion.text = stream.text();
  completion.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return completion;
}

}  // namespace chorus
