// Which sequences run, and which of their rows the next step computes. Admission is first come,
// first served among the sequences of a client, and of several clients the one that has the fewest
// running comes first. It reserves a sequence's worst case of pages, so that nothing that runs is ever
// put out. A step takes the sequences that are decoding and, of the prompts that are being read, as
// many rows as leave the step at most about twice as long. Where one client's rows would make the
// steps of others long, its sequences take turns: rows are dealt out evenly among clients. What is to
// be computed is said in tokens and page numbers (model/chunk.h); the scheduler knows no model and
// touches no page's memory.
//
// Thread contract: belongs to the thread that makes the steps.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "engine/page_pool.h"
#include "engine/sequence.h"
#include "model/chunk.h"

namespace chorus::engine {

// A row of a step that gets logits: they predict token `index` of the sequence.
struct LogitsRow {
  Sequence* sequence;
  std::size_t index;
  bool of_prompt() const { return index < sequence->state->prompt_size(); }
};

// The contents of one page that another is to begin with.
struct PageCopy {
  PageNumber from, to;
};

struct Plan {
  std::vector<PageCopy> copies;  // to be made first, in this order
  std::vector<Sequence*> sequences;
  std::vector<model::Chunk> chunks;    // of `sequences`
  std::vector<LogitsRow> logits_rows;  // in the order of the step's logits
};

class Scheduler {
 public:
  // Sees to it that a page has memory before it is a sequence's. Throws std::bad_alloc.
  using AllotPage = std::function<void(PageNumber)>;

  // `step_rows`: rows of a step and sequences that run, at most.
  Scheduler(std::size_t max_pages, bool prefix_cache, std::size_t step_rows, AllotPage allot);

  // Throws std::bad_alloc.
  void add(std::unique_ptr<Sequence> sequence);
  // Lets in what there is room for. A sequence for whose page there is no memory is given up.
  void admit();
  // The next step; empty if nothing runs. Valid until a sequence is removed. A sequence for whose
  // page there is no memory is given up and left out.
  const Plan& plan();
  // The plan's copies have been made.
  void forget_copies() { plan_.copies.clear(); }
  // After the step: keys and values of the plan's rows are there.
  void advance();

  // Frees what a sequence holds and forgets it, at the next call of remove_ended(). One that waits
  // too.
  void end(Sequence& sequence) { sequence.ended = has_ended_ = true; }
  // There was no memory for something of the request: so for all of its sequences, without a last
  // event.
  void give_up(RequestState& request) { request.out_of_memory = has_ended_ = true; }
  // Returns what was removed, as a list (Sequence::next_ended). Needs no memory.
  std::unique_ptr<Sequence> remove_ended();

  const std::deque<std::unique_ptr<Sequence>>& waiting() const { return waiting_; }
  const std::vector<std::unique_ptr<Sequence>>& running() const { return running_; }
  const PagePool& pool() const { return pool_; }

  // Errors: kCorrupt. For tests.
  Result<void> check() const;

 private:
  Client& client_of(const Sequence& sequence) {
    return sequence.state->client != nullptr ? *sequence.state->client : nobody_;
  }
  bool is_ready(const Sequence& sequence) const;
  void find_candidates();
  bool admit(std::unique_ptr<Sequence>& waiting);
  bool match_prefix(Sequence& sequence);
  void copy_beginning(Sequence& sequence);
  void keep_prompts_end(const Sequence& sequence);
  void publish_full_pages(Sequence& sequence);
  void take_page(Sequence& sequence);
  bool take_pages(Sequence& sequence, std::size_t end);
  void release_pages(Sequence& sequence);
  template <class Container>
  std::unique_ptr<Sequence>* remove_ended_of(Container& sequences, std::unique_ptr<Sequence>* end);
  std::size_t group_by_client(std::vector<Sequence*>& sequences);
  template <class Take>
  void deal(const std::vector<Sequence*>& sequences, std::size_t clients, std::size_t rows,
            Take&& take);
  void plan_rows(Sequence& sequence, std::size_t rows);
  std::size_t rows_within(const Sequence& sequence, std::size_t rows, std::size_t logits) const;

  PagePool pool_;
  bool prefix_cache_;
  std::size_t step_rows_;
  AllotPage allot_;
  std::deque<std::unique_ptr<Sequence>> waiting_;
  std::vector<std::unique_ptr<Sequence>> running_;      // in order of admission
  Client nobody_;                                       // whose are the sequences without a client
  std::uint64_t added_ = 0, planned_ = 0;               // sequences, steps
  std::vector<std::unique_ptr<Sequence>*> candidates_;  // of waiting_, in the order of their turns
  std::vector<Sequence*> decoding_, reading_;           // of running_, while a step is planned
  bool has_ended_ = false;
  Plan plan_;
};

}  // namespace chorus::engine
