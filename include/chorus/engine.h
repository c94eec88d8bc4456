// The public interface: a model that generates text and scores it. What the command line does goes
// through here.
//
// Thread contract: an Engine may be called from any thread; calls take turns, and no call's result
// depends on another's. Callbacks run on the calling thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"
#include "chorus/sampling.h"

namespace chorus {

namespace checkpoint {
struct Checkpoint;
}

// How weight matrices are held. kStored takes a quantised checkpoint's own type, bf16 for a
// checkpoint of bf16 matrices, where that loses nothing, and f32 for every other.
enum class WeightFormat { kStored, kF32, kBf16, kInt8, kInt4 };

struct EngineOptions {
  WeightFormat dtype = WeightFormat::kStored;
  std::size_t threads = 0;       // 0: the processors that this process may use
  bool allow_nonfinite = false;  // accept NaN and infinite weights
  // Called while weights are read, with bytes done and in all; may be empty.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
};

// What the model is: for messages and results.
struct ModelInfo {
  std::string path;          // as the checkpoint was named
  std::int32_t block_size;   // positions: the most tokens of prompt and result
  std::int32_t vocab_size;   // padding included
  std::int64_t parameters;   // tied weights once
  std::string dtype;         // of the matrices in memory: "f32" or "bf16"
  std::string instructions;  // of the kernels: "scalar", "avx2" or "avx512"
  std::size_t threads;
};

struct Request {
  std::vector<std::int32_t> prompt;  // at least one id
  std::int32_t max_length = 100;     // tokens of prompt and result together
  SamplingParams sampling = {};
  std::vector<std::string> stop = {};  // the result ends before the first of these in it
  bool echo = false;  // the callback gets the prompt's text, too, before the result's
};

enum class FinishReason { kStop, kLength };
const char* finish_reason_name(FinishReason reason);  // "stop", "length"

struct Completion {
  std::vector<std::int32_t>
      tokens;        // prompt and result; with the <|endoftext|> that ended it, if so
  std::string text;  // of prompt and result, without <|endoftext|> and stop strings
  FinishReason finish_reason = FinishReason::kLength;
  std::int32_t generated = 0;  // tokens chosen
  double seconds = 0.0;        // from the call to the last token
};

// Receives the result's text as it becomes certain: whole UTF-8 characters, never part of a stop
// string. Returning false ends the generation (kStop).
using TextCallback = std::function<bool(std::string_view text)>;

struct ScoreRequest {
  std::vector<std::int32_t> ids;  // at least one
  bool bos = false;               // put <|endoftext|> in front, so that the first id is scored too
  // Texts over the block size are read in windows that start this many tokens apart. 0: half the
  // block size.
  std::int32_t stride = 0;
};

struct Score {
  // For each id: the natural logarithm of its probability given those before it in its window, and
  // how many those were. An id with no context (the first, without bos) has context 0 and its
  // log-probability means nothing.
  std::vector<double> logprobs;
  std::vector<std::int32_t> contexts;
  double loss = 0.0;       // mean of -logprob over the scored ids
  std::size_t scored = 0;  // how many those are
};

class Engine {
 public:
  // Packs the weights. The checkpoint is not needed afterwards. Errors: kCorrupt for NaN or
  // infinite weights (unless allowed), kInvalidArgument for a bad $CHORUS_ISA, kUnsupported.
  static Result<std::unique_ptr<Engine>> load(const checkpoint::Checkpoint& checkpoint,
                                              const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const ModelInfo& info() const;

  // Errors: kInvalidArgument, naming the field, what was found and what was expected.
  Result<Completion> generate(const Request& request, const TextCallback& on_text = {});
  Result<Score> score(const ScoreRequest& request);

  // GPT-2's tokenizer. With `special`, "<|endoftext|>" in the text is the token, not its letters.
  static std::vector<std::int32_t> encode(std::string_view text, bool special = false);
  // The text of the ids; bytes that are no UTF-8 become U+FFFD.
  static std::string decode(std::span<const std::int32_t> ids);

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// GPT-2's <|endoftext|>: ends a generation, starts an empty prompt.
inline constexpr std::int32_t kEndOfText = 50256;

}  // namespace chorus
