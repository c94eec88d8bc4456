// One sample of a request on its way through the steps: its tokens, its pages, what chooses its
// next token and what becomes of its text. Belongs to the thread that makes the steps.
//
// Positions: token i of a sequence is run at position i - window, which computes its keys and values
// and the logits that predict token i + 1. The window begins at 0, and moves only where a text is
// longer than the model's block (PastBlock::kCrop). P is the prompt's length.
#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "chorus/request.h"
#include "engine/client.h"
#include "engine/page_pool.h"
#include "engine/stop_strings.h"
#include "engine/stream_state.h"
#include "engine/text_stream.h"
#include "sampling/sampler.h"

namespace chorus::engine {

using Clock = std::chrono::steady_clock;

struct Sequence;

// What the samples of one request share.
struct RequestState {
  RequestState(Request asked, std::size_t block_size_of_model)
      : request(std::move(asked)),
        block_size(block_size_of_model),
        stop(std::make_shared<const StopSet>(request.stop)) {}
  ~RequestState() { leave_queue(places); }
  RequestState(const RequestState&) = delete;
  RequestState& operator=(const RequestState&) = delete;

  Request request;
  std::size_t block_size;  // of the model
  std::shared_ptr<Stream::State> stream = {};
  std::shared_ptr<const StopSet> stop;
  Clock::time_point submitted = Clock::now();
  std::int32_t unfinished = 0;  // samples that have not ended

  // There was no memory for something of it: all its samples end, and its stream is told so, once.
  bool out_of_memory = false;
  bool told = false;

  // Sample 0 reads the prompt; the others wait for it, so as to share its pages.
  bool prompt_read = false;            // or sample 0 has ended
  std::vector<TokenInfo> prompt = {};  // for the kPrompt event; filled in by sample 0

  // With one_stream: how many samples have ended, and what the next one draws from.
  std::int32_t ended_samples = 0;
  std::optional<sampling::Sampler> sampler = {};

  // What the cached pages of its text begin from: a key of its own for each salt, which no page has.
  PrefixKey cache_root() const {
    constexpr PrefixKey kSalted = PrefixKey{1} << 63;
    return request.cache_salt == 0 ? kEmptyPrefix : (request.cache_salt | kSalted);
  }
  // Whose it is; null: nobody's in particular. How many of the client's samples that wait are its own:
  // the mailbox counts them, and they are given back as samples are admitted, the rest with the
  // request.
  std::shared_ptr<Client> client = {};
  std::size_t places = 0;
  void leave_queue(std::size_t samples) {
    if (client != nullptr) client->waiting -= std::min(samples, places);
    places -= std::min(samples, places);
  }

  std::size_t prompt_size() const { return request.prompt.size(); }
  // How many positions are run at most: the last token of all is not, unless its logits are asked
  // for, nor any past the block.
  std::size_t positions() const;
  // Whether a sample may become longer than the block. Its pages are its own from the beginning to
  // the end, neither found in the prefix cache nor published: they are filled anew for each token.
  bool may_pass_block() const { return static_cast<std::size_t>(request.max_length) > block_size; }
  bool wants_prompt_event() const { return request.echo || request.prompt_logprobs; }
  // Whether the prompt is all that is read, and no token is chosen.
  bool only_reads() const { return static_cast<std::size_t>(request.max_length) <= prompt_size(); }
};

struct Sequence {
  Sequence(std::shared_ptr<RequestState> request, std::int32_t sample);

  std::shared_ptr<RequestState> state;
  const Request& request;  // state's
  std::int32_t sample;

  std::vector<std::int32_t> tokens;  // prompt and result
  std::size_t window = 0;            // the first token that is read
  std::size_t done = 0;              // positions whose keys and values are in the pages

  std::vector<PageNumber> pages;
  std::size_t reserved = 0;   // pages reserved and not taken
  std::size_t published = 0;  // pages that were offered to the prefix cache
  PrefixKey prefix;           // of the last of these; before, the request's cache_root()

  // Made when the sequence is admitted.
  std::optional<sampling::Sampler> sampler;
  std::optional<TextStream> text;

  std::uint64_t number = 0;     // in the order in which sequences came
  std::size_t turn = 0;         // to be admitted: how many of its client's run or come before it
  std::uint64_t last_step = 0;  // that it had rows in

  std::size_t cached = 0;                // positions of the prompt that were found
  bool ended = false;                    // it is to be removed
  std::optional<Event> last_event;       // to be told when it has been; none: out of memory
  std::unique_ptr<Sequence> next_ended;  // behind it in a list (Scheduler::remove_ended)
  std::optional<Clock::time_point> started, first_token;

  bool cancelled() const {
    return state->stream->cancelled.load(std::memory_order_relaxed) || is_cancelled_alone();
  }
  bool is_cancelled_alone() const {
    bool tells_prompt = sample == 0 && state->wants_prompt_event() && !state->prompt_read;
    return !request.one_stream && !tells_prompt &&
           state->stream->cancelled_samples[static_cast<std::size_t>(sample)].load(
               std::memory_order_relaxed);
  }
  bool reads_prompt() const { return window + done < state->prompt_size(); }
  // Whether all that is to be run is the last token chosen.
  bool decodes() const { return !reads_prompt() && rows() == 1; }
  std::size_t generated() const { return tokens.size() - state->prompt_size(); }
  // The first position whose logits are wanted. Those before it may come from cached pages.
  std::size_t first_logits() const;
  // Positions that could be run now.
  std::size_t rows() const;
  // Makes the window the last block of the tokens, if they are more. What was run is then no use.
  void move_window();
  Usage usage() const;
};

}  // namespace chorus::engine
