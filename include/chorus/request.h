// What may be asked of an Engine, and what comes back. Plain data: copies may cross threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/cancellation.h"
#include "chorus/error.h"
#include "chorus/export.h"
#include "chorus/sampling.h"

namespace chorus {

// How many of the likeliest tokens a request may ask for beside each token.
inline constexpr std::int32_t kMostLogprobs = 100;
// Samples of one request.
inline constexpr std::int32_t kMostSamples = 1024;
// What a request may list.
inline constexpr std::size_t kMostStopStrings = 64;
inline constexpr std::size_t kMostStopBytes = 16 * 1024;  // of all of them
inline constexpr std::size_t kMostStopIds = 1024;
inline constexpr std::size_t kMostLogitBiases = 1024;
// Tokens of one sample that goes on past the model's block, and of all samples of its request.
inline constexpr std::int32_t kMostTokens = 1'000'000;
inline constexpr std::int64_t kMostTokensInAll = 16'000'000;

// What happens to a text that is longer than the model's block.
enum class PastBlock {
  kRefuse,  // "refuse": it is an error of the request
  // "crop": each token is chosen from the last block_size tokens alone, read as if they were a text
  // of their own, as nanoGPT's loop does. Their positions move by one with every token, so that
  // each costs the reading of a whole block.
  kCrop,
};

// The word for each, and back. Errors: kInvalidArgument, listing both.
CHORUS_EXPORT const char* past_block_name(PastBlock past_block);
CHORUS_EXPORT Result<PastBlock> parse_past_block(std::string_view name);

struct Request {
  std::vector<std::int32_t> prompt;  // at least one id
  // Tokens of prompt and result together, at most the block size (with kCrop: kMostTokens). The
  // prompt's own length: nothing is generated (for prompt_logprobs).
  std::int32_t max_length = 100;
  PastBlock past_block = PastBlock::kRefuse;
  SamplingParams sampling = {};
  std::int32_t n = 1;  // samples, with seeds sampling.seed, sampling.seed + 1, ...
  // All samples draw from one stream of random numbers, the next going on where the one before has
  // ended, as sample.py's do; so they are made one after another, not side by side.
  bool one_stream = false;

  // What ends a sample before max_length (kStop). The text ends before the first stop string in it,
  // or behind it with include_stop. The id that ended it is among the tokens, not in the text.
  std::vector<std::string> stop = {};
  bool include_stop = false;
  std::vector<std::int32_t> stop_ids = {};
  // The model's end-of-text tokens are tokens like others; empty: if they are for the loop.
  std::optional<bool> ignore_eos = {};
  std::int32_t min_tokens = 0;  // before so many are generated, nothing of the above ends it

  // Natural logarithms of probabilities under the model (temperature and the like left out), of
  // each token, with so many of the likeliest tokens beside it. Empty: none are computed.
  std::optional<std::int32_t> logprobs = {};         // of the result's tokens
  std::optional<std::int32_t> prompt_logprobs = {};  // of the prompt's tokens
  // Beside each of these, TokenInfo::boundary. It needs prompt_logprobs.
  bool prompt_boundaries = false;
  // The first index of the prompt that gets one; the first token of all never does.
  std::size_t prompt_logprobs_from = 1;
  // Logits of every position of the prompt, which is at most the model's block: room for
  // [prompt.size(), ModelInfo::vocab_size] floats, row t those that predict token t + 1, padding of
  // the vocabulary included. The engine's threads write it until sample 0 has ended, also of a
  // cancelled request; it is whole when that ends as kDone, not cancelled. Empty: not wanted.
  std::shared_ptr<float> prompt_logits = {};
  // Beside each of these log-probabilities also the token's rank and the distribution's entropy.
  bool rank_and_entropy = false;
  bool echo = false;  // a kPrompt event comes before the result's

  // With which others may end it; may be empty.
  std::shared_ptr<Cancellation> cancellation = {};

  // Keys and values in the prefix cache are shared only among requests of the same salt: who has
  // another cannot learn, from cached_tokens or from the time, what has been read.
  std::uint64_t cache_salt = 0;

  // Whose it is, for its share. A client may have as many samples waiting as places are free, so one
  // alone can take half of the queue and others always find some. Of several clients the one with the
  // fewest samples running is let in first, and where the rows of a step are scarce they are dealt out
  // evenly among clients. 0: nobody's in particular, who may fill the queue, and is one client else.
  std::uint64_t client = 0;
};

struct TokenLogprob {
  std::int32_t id;
  double logprob;
};

struct TokenInfo {
  std::int32_t id = 0;
  std::optional<double> logprob = {};  // empty: not asked for, or nothing stands before the token
  // The natural logarithm of the probability that the text ends or a new word begins here: of all
  // tokens that begin with white space, and those that end a text.
  std::optional<double> boundary = {};
  std::vector<TokenLogprob> top = {};  // the likeliest tokens, descending; equal ones by lower id
  // With rank_and_entropy, wherever there is a log-probability. The rank: 1 for the likeliest token,
  // counted in the order of `top` over the tokens that can be chosen.
  std::optional<std::int32_t> rank = {};
  std::optional<double> entropy = {};  // of all that could have stood there, in nats
};

enum class FinishReason { kStop, kLength, kCancelled };
CHORUS_EXPORT const char* finish_reason_name(FinishReason reason);  // "stop", "length", "cancelled"

// What a sample has cost, from the call of submit() on.
struct Usage {
  std::int32_t prompt_tokens = 0;
  std::int32_t cached_tokens = 0;  // of the prompt, whose keys and values were there already
  std::int32_t generated_tokens = 0;
  double queue_seconds = 0.0;        // until its first row was computed
  double first_token_seconds = 0.0;  // until its first token was chosen; 0 if there is none
  double seconds = 0.0;              // until it ended
};

// What happens to a request, in order. Every sample ends in exactly one kDone or kError; the last
// event of all has `last` set. Without memory for a request all its samples end together, in one
// kError (kOutOfMemory).
struct Event {
  enum class Kind {
    kPrompt,  // once, before any token, if echo or prompt_logprobs was asked for
    kToken,   // a token was chosen
    kDone,
    kError,
  };
  Kind kind = Kind::kToken;
  std::int32_t sample = 0;
  bool last = false;

  // Text that has become certain: whole UTF-8 characters, never part of a stop string. A token's
  // event may have none, and kDone the rest. kPrompt: the prompt's.
  std::string text = {};
  TokenInfo token = {};                              // kToken
  std::vector<TokenInfo> prompt = {};                // kPrompt: all ids of the prompt
  FinishReason finish_reason = FinishReason::kStop;  // kDone
  Usage usage = {};                                  // kDone
  Error error = {ErrorCode::kUnavailable, {}};       // kError
};

// A finished sample.
struct Completion {
  std::vector<std::int32_t> tokens;  // prompt and result; with the end of text that ended it
  std::string text;                  // of prompt and result, without what ended it
  std::vector<TokenInfo> prompt;     // its tokens, with their log-probabilities if asked for
  std::vector<TokenInfo> result;     // the tokens chosen, likewise
  FinishReason finish_reason = FinishReason::kLength;
  Usage usage;
};

}  // namespace chorus
