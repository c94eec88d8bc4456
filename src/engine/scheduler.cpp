#include "engine/scheduler.h"

#include <algorithm>
#include <cassert>
#include <new>
#include <tuple>
#include <utility>

namespace chorus::engine {
namespace {

using model::kPagePositions;

// Rows of prompts in a step beside sequences that are decoding, if these are no more themselves: a
// step of few rows waits for the memory, and about so many fit into the time of one. Measured:
// docs/measurements.md.
constexpr std::size_t kPromptRowsBesideDecoding = 16;

// Rows that decode in a step of several clients, if it has not more clients: more rows at once bring
// hardly more tokens a second and make every text of the step slower. Measured:
// docs/measurements.md.
constexpr std::size_t kSharedRows = 32;

// Rows with logits in a step, beside those that decode: each is a whole vocabulary of floats.
constexpr std::size_t kPromptLogitsRows = 64;

// Positions of another page's beginning that are copied, at least: fewer are computed as fast.
constexpr std::size_t kWorthCopying = 2;

std::size_t pages_for(std::size_t positions) {
  return (positions + kPagePositions - 1) / kPagePositions;
}

PageTokens tokens_of_page(const Sequence& sequence, std::size_t page) {
  PageTokens tokens;
  std::copy_n(sequence.tokens.begin() + static_cast<std::ptrdiff_t>(page * kPagePositions),
              kPagePositions, tokens.begin());
  return tokens;
}

}  // namespace

// What a step may hold has room from the start: to plan one must not need memory.
Scheduler::Scheduler(std::size_t max_pages, bool prefix_cache, std::size_t step_rows,
                     AllotPage allot)
    : pool_(max_pages, prefix_cache),
      prefix_cache_(prefix_cache),
      step_rows_(step_rows),
      allot_(std::move(allot)) {
  running_.reserve(step_rows);
  decoding_.reserve(step_rows);
  reading_.reserve(step_rows);
  plan_.copies.reserve(step_rows);
  plan_.sequences.reserve(step_rows);
  plan_.chunks.reserve(step_rows);
  plan_.logits_rows.reserve(step_rows);
}

bool Scheduler::is_ready(const Sequence& sequence) const {
  if (sequence.request.one_stream) return sequence.sample == sequence.state->ended_samples;
  return sequence.sample == 0 || sequence.state->prompt_read || !prefix_cache_;
}

void Scheduler::add(std::unique_ptr<Sequence> sequence) {
  candidates_.reserve(waiting_.size() + 1);
  sequence->number = ++added_;
  waiting_.push_back(std::move(sequence));
}

// Those that could be admitted now, as many as may run. Each has as its turn how many of its client's
// run or come before it.
void Scheduler::find_candidates() {
  candidates_.clear();
  for (const auto& sequence : waiting_) client_of(*sequence).asking = 0;
  for (const auto& sequence : running_) client_of(*sequence).asking = 0;
  for (const auto& sequence : running_) ++client_of(*sequence).asking;
  for (auto& sequence : waiting_) {
    if (sequence->ended || sequence->state->out_of_memory || !is_ready(*sequence)) continue;
    sequence->turn = client_of(*sequence).asking++;
    candidates_.push_back(&sequence);
  }
  std::size_t free = std::min(step_rows_ - running_.size(), candidates_.size());
  std::ranges::partial_sort(
      candidates_, candidates_.begin() + static_cast<std::ptrdiff_t>(free), {},
      [](const auto* waiting) { return std::pair((*waiting)->turn, (*waiting)->number); });
  candidates_.resize(free);
}

void Scheduler::admit() {
  if (waiting_.empty() || running_.size() == step_rows_) return;
  find_candidates();
  for (std::unique_ptr<Sequence>* candidate : candidates_) {
    if (!admit(*candidate)) break;
  }
  std::erase(waiting_, nullptr);
}

// False: there is no room for it.
bool Scheduler::admit(std::unique_ptr<Sequence>& waiting) {
  Sequence& sequence = *waiting;
  if (!match_prefix(sequence)) {
    release_pages(sequence);
    return false;
  }
  try {
    copy_beginning(sequence);
  } catch (const std::bad_alloc&) {
    release_pages(sequence);
    give_up(*sequence.state);
    return true;
  }
  sequence.state->leave_queue(1);
  running_.push_back(std::move(waiting));
  return true;
}

// Takes over cached pages from where the sequence stands, and reserves the rest of its worst case;
// false if there is no room, which cannot happen to one that runs.
bool Scheduler::match_prefix(Sequence& sequence) {
  pool_.unreserve(std::exchange(sequence.reserved, 0));
  while (!sequence.state->may_pass_block() && sequence.done % kPagePositions == 0 &&
         sequence.done + kPagePositions <= sequence.first_logits()) {
    std::size_t page = sequence.done / kPagePositions;
    auto match = pool_.find(sequence.prefix, tokens_of_page(sequence, page));
    if (!match) break;
    sequence.pages.push_back(match->page);
    sequence.prefix = match->key;
    ++sequence.published;
    sequence.done += kPagePositions;
    sequence.cached += kPagePositions;
  }
  std::size_t rest = pages_for(sequence.state->positions()) - sequence.pages.size();
  if (!pool_.reserve(rest)) return false;
  sequence.reserved = rest;
  return true;
}

// Where cached pages end in the middle of the prompt, the positions that another page begins with
// are copied: all but the prompt's last, whose logits are needed. The next step begins with the
// copies, in the order in which their pages were taken: until then nothing is written to a page.
void Scheduler::copy_beginning(Sequence& sequence) {
  if (sequence.done % kPagePositions != 0 || sequence.state->may_pass_block()) return;
  auto rest = std::span(sequence.tokens).first(sequence.first_logits()).subspan(sequence.done);
  auto found =
      pool_.find_beginning(sequence.prefix, rest.first(std::min(rest.size(), kPagePositions)));
  if (!found || found->count < kWorthCopying) return;
  take_page(sequence);
  if (sequence.pages.back() != found->page) {
    plan_.copies.push_back({.from = found->page, .to = sequence.pages.back()});
  }
  sequence.cached += found->count;
  sequence.done += found->count;
}

void Scheduler::keep_prompts_end(const Sequence& sequence) {
  if (sequence.state->may_pass_block()) return;
  std::size_t begin = sequence.published * kPagePositions, end = sequence.state->prompt_size();
  if (begin == end) return;
  pool_.keep_beginning(sequence.pages[sequence.published], sequence.prefix,
                       std::span(sequence.tokens).first(end).subspan(begin));
}

// Throws std::bad_alloc; then the page is still reserved.
void Scheduler::take_page(Sequence& sequence) {
  assert(sequence.reserved > 0 && sequence.pages.size() < sequence.pages.capacity());
  PageNumber page = pool_.take();
  try {
    allot_(page);
  } catch (const std::bad_alloc&) {
    pool_.release(page);
    bool is_reserved = pool_.reserve(1);
    assert(is_reserved);
    static_cast<void>(is_reserved);
    throw;
  }
  sequence.pages.push_back(page);
  --sequence.reserved;
}

// Those for positions up to `end`. False: there was no memory, and the sequence is given up.
bool Scheduler::take_pages(Sequence& sequence, std::size_t end) {
  try {
    while (sequence.pages.size() * kPagePositions < end) take_page(sequence);
    return true;
  } catch (const std::bad_alloc&) {
    give_up(*sequence.state);
    return false;
  }
}

// Puts a client's sequences side by side: clients with the fewest first, then those whose last step is
// the longest ago, and so, too, the sequences of one. Returns how many clients there are.
std::size_t Scheduler::group_by_client(std::vector<Sequence*>& sequences) {
  for (Sequence* sequence : sequences) client_of(*sequence).asking = 0;
  for (Sequence* sequence : sequences) ++client_of(*sequence).asking;
  std::ranges::sort(sequences, {}, [this](Sequence* sequence) {
    const Client& client = client_of(*sequence);
    return std::tuple(client.asking, client.last_step, &client, sequence->last_step,
                      sequence->number);
  });
  std::size_t clients = 0;
  for (std::size_t i = 0; i < sequences.size(); i += client_of(*sequences[i]).asking) ++clients;
  return clients;
}

// Deals out `rows` evenly among the clients and then among the sequences of each, so that who wants few
// has them. The sequences are grouped. `take(sequence, rows)` returns how many it has taken of them.
template <class Take>
void Scheduler::deal(const std::vector<Sequence*>& sequences, std::size_t clients, std::size_t rows,
                     Take&& take) {
  auto share = [](std::size_t of, std::size_t among) { return (of + among - 1) / among; };
  for (auto next = sequences.begin(); next != sequences.end(); --clients) {
    std::size_t of_client = share(rows, clients);
    rows -= of_client;
    for (std::size_t left = client_of(**next).asking; left > 0; --left, ++next) {
      if (of_client > 0) of_client -= take(**next, share(of_client, left));
    }
    rows += of_client;
  }
}

const Plan& Scheduler::plan() {
  plan_.sequences.clear();
  plan_.chunks.clear();
  plan_.logits_rows.clear();
  decoding_.clear();
  reading_.clear();
  for (const auto& sequence : running_) {
    sequence->move_window();
    (sequence->decodes() ? decoding_ : reading_).push_back(sequence.get());
  }
  ++planned_;
  assert(running_.size() <= step_rows_);
  std::size_t clients = group_by_client(decoding_);
  std::size_t decoding = decoding_.size();
  if (clients > 1) decoding = std::min(decoding, std::max(kSharedRows, clients));
  deal(decoding_, clients, decoding, [this](Sequence& sequence, std::size_t) {
    plan_rows(sequence, 1);
    return std::size_t{1};
  });
  std::size_t readers = group_by_client(reading_);
  std::size_t rows = step_rows_ - decoding;
  if (decoding > 0) rows = std::min(rows, std::max({decoding, kPromptRowsBesideDecoding, readers}));
  std::size_t logits = kPromptLogitsRows;
  deal(reading_, readers, rows, [&](Sequence& sequence, std::size_t share) {
    match_prefix(sequence);  // another sequence may have read the same text meanwhile
    std::size_t before = plan_.logits_rows.size();
    std::size_t with_logits = std::max<std::size_t>(1, kPromptLogitsRows * share / rows);
    std::size_t taken = rows_within(sequence, share, std::min(logits, with_logits));
    if (taken > 0) plan_rows(sequence, taken);
    logits -= plan_.logits_rows.size() - before;
    return taken;
  });
  return plan_;
}

// How many rows the sequence can take of `rows`, of which `logits` may have logits.
std::size_t Scheduler::rows_within(const Sequence& sequence, std::size_t rows,
                                   std::size_t logits) const {
  std::size_t first_logits = sequence.first_logits();
  std::size_t without = first_logits - std::min(first_logits, sequence.done);
  return std::min({rows, sequence.rows(), without + logits});
}

void Scheduler::plan_rows(Sequence& sequence, std::size_t rows) {
  assert(rows <= sequence.rows());
  std::size_t end = sequence.done + rows;
  if (!take_pages(sequence, end)) return;
  sequence.last_step = client_of(sequence).last_step = planned_;
  std::size_t first_logits = std::max(sequence.done, std::min(end, sequence.first_logits()));
  for (std::size_t position = first_logits; position < end; ++position) {
    plan_.logits_rows.push_back({&sequence, sequence.window + position + 1});
  }
  plan_.sequences.push_back(&sequence);
  std::size_t first = sequence.window + sequence.done;
  plan_.chunks.push_back({.ids = std::span(sequence.tokens).subspan(first, rows),
                          .position = sequence.done,
                          .pages = sequence.pages,
                          .logits_from = first_logits - sequence.done});
}

void Scheduler::advance() {
  plan_.copies.clear();
  for (std::size_t i = 0; i < plan_.sequences.size(); ++i) {
    Sequence& sequence = *plan_.sequences[i];
    bool read_prompt = sequence.reads_prompt();
    sequence.done += plan_.chunks[i].ids.size();
    assert(sequence.done <= sequence.state->positions());
    assert(sequence.done <= sequence.pages.size() * kPagePositions);
    publish_full_pages(sequence);
    if (!read_prompt || sequence.reads_prompt()) continue;
    keep_prompts_end(sequence);
    if (sequence.sample == 0) sequence.state->prompt_read = true;
  }
}

void Scheduler::publish_full_pages(Sequence& sequence) {
  if (sequence.state->may_pass_block()) return;
  for (; (sequence.published + 1) * kPagePositions <= sequence.done; ++sequence.published) {
    std::size_t page = sequence.published;
    auto match =
        pool_.publish(sequence.pages[page], sequence.prefix, tokens_of_page(sequence, page));
    sequence.pages[page] = match.page;
    sequence.prefix = match.key;
  }
}

// Back to a sequence that has not begun.
void Scheduler::release_pages(Sequence& sequence) {
  for (auto page = sequence.pages.rbegin(); page != sequence.pages.rend(); ++page) {
    pool_.release(*page);
  }
  pool_.unreserve(std::exchange(sequence.reserved, 0));
  std::erase_if(plan_.copies, [&sequence](const PageCopy& copy) {  // of a step that was not made
    return std::ranges::find(sequence.pages, copy.to) != sequence.pages.end();
  });
  sequence.pages.clear();
  sequence.published = 0;
  sequence.prefix = sequence.state->cache_root();
  sequence.done = sequence.cached = 0;
}

// Moves those of `sequences` to the end of a list; returns where it ends then.
template <class Container>
std::unique_ptr<Sequence>* Scheduler::remove_ended_of(Container& sequences,
                                                      std::unique_ptr<Sequence>* end) {
  auto kept = sequences.begin();
  for (auto& sequence : sequences) {
    if (!sequence->ended && !sequence->state->out_of_memory) {
      if (&*kept != &sequence) *kept = std::move(sequence);
      ++kept;
      continue;
    }
    if (sequence->sample == 0) sequence->state->prompt_read = true;
    ++sequence->state->ended_samples;
    release_pages(*sequence);
    *end = std::move(sequence);
    end = &(*end)->next_ended;
  }
  sequences.erase(kept, sequences.end());
  return end;
}

std::unique_ptr<Sequence> Scheduler::remove_ended() {
  if (!std::exchange(has_ended_, false)) return nullptr;
  std::unique_ptr<Sequence> removed;
  remove_ended_of(waiting_, remove_ended_of(running_, &removed));
  return removed;
}

Result<void> Scheduler::check() const {
  std::vector<std::span<const PageNumber>> tables;
  std::size_t reserved = 0;
  for (const auto& sequence : running_) {
    tables.emplace_back(sequence->pages);
    reserved += sequence->reserved;
    if (sequence->pages.size() + sequence->reserved != pages_for(sequence->state->positions())) {
      return Error{ErrorCode::kCorrupt, "a sequence's pages are not its worst case"};
    }
  }
  for (const auto& sequence : waiting_) {
    if (!sequence->pages.empty() || sequence->reserved > 0) {
      return Error{ErrorCode::kCorrupt, "a waiting sequence holds pages"};
    }
  }
  return pool_.check(tables, reserved);
}

}  // namespace chorus::engine
