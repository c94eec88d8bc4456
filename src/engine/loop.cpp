#include "engine/loop.h"

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

#include "sampling/logprobs.h"
#include "sampling/penalties.h"

namespace chorus::engine {
namespace {

// The sequence with the most rows in the step; of several the one that was admitted last.
const Sequence& largest(const Plan& plan) {
  std::size_t found = 0;
  for (std::size_t i = 1; i < plan.chunks.size(); ++i) {
    if (plan.chunks[i].ids.size() >= plan.chunks[found].ids.size()) found = i;
  }
  return *plan.sequences[found];
}

}  // namespace

Loop::Loop(const model::Model& model, const ModelTokens& tokens, ThreadTeam& team, Mailbox& mailbox,
           std::size_t max_pages, const EngineOptions& options)
    : model_(model),
      tokens_(tokens),
      team_(team),
      mailbox_(mailbox),
      scheduler_(max_pages, options.prefix_cache, options.step_rows,
                 [this](PageNumber page) { store_.allot(page); }),
      store_(model.kv_layout(), max_pages),
      scratch_(team.size()) {}

void Loop::run() {
  while (true) {
    if (is_idle() || last_step_.ended > 0) pass_on();
    linger();
    Mailbox::Contents mail = mailbox_.take(is_idle());
    for (const auto& request : mail.requests) begin(request);
    end_cancelled(mail.stop);
    scheduler_.admit();
    settle();
    update_stats();
    if (mail.stop || !mail.tasks.empty()) pass_on();
    for (const auto& task : mail.tasks) task();
    if (mail.stop) return;
    step();
  }
}

template <class Work>
void Loop::attempt(RequestState& request, Work&& work) {
  if (request.out_of_memory) return;
  try {
    work();
  } catch (const std::bad_alloc&) {
    scheduler_.give_up(request);
  }
}

void Loop::begin(const std::shared_ptr<RequestState>& request) {
  attempt(*request, [&] { add_samples(request); });
  if (!request->out_of_memory) return;
  settle();
  tell_out_of_memory(*request);  // if none of its samples was added
}

void Loop::add_samples(const std::shared_ptr<RequestState>& request) {
  request->unfinished = request->request.n;
  if (request->wants_prompt_event()) {
    for (std::int32_t id : request->request.prompt) request->prompt.push_back({.id = id});
  }
  bool generates = !request->only_reads();
  for (std::int32_t i = 0; i < request->request.n; ++i) {
    auto sequence = std::make_unique<Sequence>(request, i);
    bool runs = request->positions() > 0 && (generates || i == 0);
    if (runs) {
      scheduler_.add(std::move(sequence));
      continue;
    }
    // It holds nothing, and is told at once.
    if (i == 0) emit_prompt(*sequence);
    finish(*sequence, FinishReason::kLength);
    tell_end(*sequence);
  }
}

void Loop::end_cancelled(bool all) {
  auto end = [this, all](const std::unique_ptr<Sequence>& sequence) {
    if (!all && !sequence->cancelled()) return;
    attempt(*sequence->state, [&] { finish(*sequence, FinishReason::kCancelled); });
  };
  std::for_each(scheduler_.running().begin(), scheduler_.running().end(), end);
  std::for_each(scheduler_.waiting().begin(), scheduler_.waiting().end(), end);
  settle();
}

// What callbacks have put aside. It is not done as soon as a step is over: who is woken by it takes this
// thread's processor, while the others would have nothing to do.
void Loop::pass_on() {
  if (after_callbacks_) after_callbacks_();
}

// So that who asks again at once misses no step.
void Loop::linger() {
  const LastStep& last = last_step_;
  Lingering::Duration time = lingering_.time(last.ended, last.sequences, last.time);
  if (time == time.zero()) return;
  mailbox_.await(last.posted + last.ended, time);
  lingering_.note(mailbox_.posted() > last.posted);
}

void Loop::step() {
  const Plan& plan = scheduler_.plan();
  Clock::time_point now = Clock::now();
  for (Sequence* sequence : plan.sequences) {
    if (!sequence->started) attempt(*sequence->state, [&] { start(*sequence, now); });
  }
  if (!plan.chunks.empty()) {
    try {
      compute(plan);
      scheduler_.advance();
      ++counts_.steps;
      emit(plan);
    } catch (const std::bad_alloc&) {
      scheduler_.give_up(*largest(plan).state);
      pass_on();
    }
  } else {
    pass_on();
  }
  last_step_ = {
      .sequences = plan.sequences.size(), .time = Clock::now() - now, .posted = mailbox_.posted()};
  settle();
}

void Loop::start(Sequence& sequence, Clock::time_point now) {
  sequence.started = now;
  std::optional<sampling::Sampler>& passed_on = sequence.state->sampler;
  if (passed_on) {
    sequence.sampler = std::exchange(passed_on, std::nullopt);
  } else {
    SamplingParams params = sequence.request.sampling;
    params.seed += static_cast<std::uint64_t>(sequence.sample);
    sequence.sampler.emplace(params, &model_.kernels());
  }
  sequence.text.emplace(sequence.request, sequence.state->stop, tokens_);
}

// The forward step, and what its logits say.
void Loop::compute(const Plan& plan) {
  outcomes_.assign(plan.logits_rows.size(), {});
  for (PageCopy copy : plan.copies) store_.copy(copy.from, copy.to);  // which have memory
  scheduler_.forget_copies();  // made again, they could be of pages with other contents
  auto use = [&](std::size_t i, std::span<float> logits, std::size_t member) {
    try {
      outcomes_[i] = outcome_of(plan.logits_rows[i], logits, scratch_[member]);
    } catch (const std::bad_alloc&) {
      outcomes_[i].out_of_memory = true;
    }
  };
  model_.forward(plan.chunks, store_, workspace_, team_, use, [this] { pass_on(); });
}

Loop::Outcome Loop::outcome_of(const LogitsRow& row, std::span<float> logits,
                               sampling::SamplerScratch& scratch) const {
  Sequence& sequence = *row.sequence;
  const Request& request = sequence.request;
  const kernels::Kernels& kernels = model_.kernels();
  assert(row.index <= sequence.tokens.size());
  if (sequence.state->out_of_memory) return {};
  // Before they are adjusted, which happens in place.
  if (row.index <= sequence.state->prompt_size() && sequence.sample == 0 && request.prompt_logits) {
    std::size_t position = row.index - 1;
    std::copy(logits.begin(), logits.end(), request.prompt_logits.get() + position * logits.size());
  }
  if (row.of_prompt()) {
    if (!request.prompt_logprobs || row.index < request.prompt_logprobs_from) return {};
    sampling::TokenDetails details{*request.prompt_logprobs, request.rank_and_entropy};
    if (request.prompt_boundaries) details.boundaries = tokens_.boundaries();
    return {.info = sampling::token_info(kernels, logits, tokens_.usable,
                                         sequence.tokens[row.index], details)};
  }
  if (sequence.state->only_reads()) return {};
  std::vector<std::int32_t> banned;
  if (sequence.generated() < static_cast<std::size_t>(request.min_tokens)) {
    banned = request.stop_ids;
    if (!*request.ignore_eos) {
      banned.insert(banned.end(), tokens_.ids.eos.begin(), tokens_.ids.eos.end());
    }
  }
  bool adjusted = sampling::adjusts_logits(request.sampling) || !banned.empty();
  // Log-probabilities are the model's: of the logits as they were.
  std::vector<float> own;
  if (adjusted && request.logprobs) own.assign(logits.begin(), logits.end());
  if (adjusted) {
    sampling::adjust_logits(request.sampling, {sequence.tokens, sequence.state->prompt_size()},
                            banned, logits);
  }
  Result<std::int32_t> id = sequence.sampler->sample(logits, tokens_.usable, scratch);
  if (!id) return {.error = std::move(id.assume_error())};
  if (!request.logprobs) return {.info = {.id = id.assume_value()}};
  return {.info = sampling::token_info(kernels, adjusted ? own : logits, tokens_.usable,
                                       id.assume_value(),
                                       {*request.logprobs, request.rank_and_entropy})};
}

void Loop::emit(const Plan& plan) {
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    const LogitsRow& row = plan.logits_rows[i];
    RequestState& state = *row.sequence->state;
    if (outcomes_[i].out_of_memory) scheduler_.give_up(state);
    attempt(state, [&] { emit_outcome(row, outcomes_[i]); });
  }
  for (Sequence* sequence : plan.sequences) {
    if (sequence->rows() > 0 || !sequence->state->only_reads()) continue;
    attempt(*sequence->state, [&] {
      emit_prompt(*sequence);
      finish(*sequence, FinishReason::kLength);
    });
  }
}

void Loop::emit_outcome(const LogitsRow& row, Outcome& outcome) {
  if (outcome.error) {
    fail(*row.sequence, std::move(*outcome.error));
  } else if (row.of_prompt()) {
    if (outcome.info.logprob) row.sequence->state->prompt[row.index] = std::move(outcome.info);
  } else if (!row.sequence->state->only_reads()) {
    emit_token(*row.sequence, std::move(outcome.info));
  }
}

// When the prompt has been read.
void Loop::emit_prompt(Sequence& sequence) {
  counts_.prefix_queries += sequence.state->prompt_size();
  counts_.prefix_hits += sequence.cached;
  if (sequence.sample == 0) counts_.prompt_tokens += sequence.state->prompt_size();
  if (!sequence.text) sequence.text.emplace(sequence.request, sequence.state->stop, tokens_);
  std::string text = sequence.text->take_prompt();
  if (sequence.sample != 0 || !sequence.state->wants_prompt_event()) return;
  Event event{.kind = Event::Kind::kPrompt};
  event.text = std::move(text);
  event.prompt = std::move(sequence.state->prompt);
  sequence.state->stream->deliver(std::move(event));
}

void Loop::emit_token(Sequence& sequence, TokenInfo info) {
  const Request& request = sequence.request;
  if (sequence.generated() == 0) {
    sequence.first_token = Clock::now();
    emit_prompt(sequence);
  }
  std::int32_t id = info.id;
  sequence.tokens.push_back(id);
  ++counts_.generated_tokens;
  bool may_stop = sequence.generated() >= static_cast<std::size_t>(request.min_tokens);
  bool ends =
      (!*request.ignore_eos && tokens_.is_eos(id)) ||
      std::find(request.stop_ids.begin(), request.stop_ids.end(), id) != request.stop_ids.end();
  Event event{.sample = sequence.sample};
  if (!ends) event.text = sequence.text->push(id, may_stop);
  event.token = std::move(info);
  sequence.state->stream->deliver(std::move(event));
  if (ends || sequence.text->stopped()) {
    finish(sequence, FinishReason::kStop);
  } else if (sequence.tokens.size() == static_cast<std::size_t>(request.max_length)) {
    finish(sequence, FinishReason::kLength);
  }
}

void Loop::finish(Sequence& sequence, FinishReason reason) {
  if (sequence.ended) return;
  Event event{.kind = Event::Kind::kDone, .sample = sequence.sample};
  if (sequence.text) event.text = sequence.text->finish();
  // The end of the text, no longer held back, may hold a stop string after all.
  bool stopped = sequence.text && sequence.text->stopped();
  event.finish_reason = stopped && reason == FinishReason::kLength ? FinishReason::kStop : reason;
  event.usage = sequence.usage();
  end(sequence, std::move(event));
}

void Loop::fail(Sequence& sequence, Error error) {
  if (sequence.ended) return;
  Event event{.kind = Event::Kind::kError, .sample = sequence.sample};
  event.error = std::move(error);
  end(sequence, std::move(event));
}

void Loop::end(Sequence& sequence, Event event) {
  RequestState& state = *sequence.state;
  if (state.request.one_stream) state.sampler = std::move(sequence.sampler);
  assert(state.unfinished > 0);
  event.last = --state.unfinished == 0;
  sequence.last_event = std::move(event);
  scheduler_.end(sequence);
}

void Loop::tell_end(Sequence& sequence) {
  RequestState& state = *sequence.state;
  attempt(state, [&] {
    bool last = sequence.last_event->last;
    if (last && !sequence.cancelled()) ++last_step_.ended;
    state.stream->deliver(std::move(*sequence.last_event));
    if (last) state.stream->finish();
  });
  if (state.out_of_memory) tell_out_of_memory(state);
}

void Loop::tell_out_of_memory(RequestState& request) {
  if (std::exchange(request.told, true)) return;
  request.stream->fail();
  request.stream->finish();
}

// Gives back what ended samples held, and only then tells: who hears that a sample has ended finds
// its room free.
void Loop::settle() {
  while (std::unique_ptr<Sequence> ended = scheduler_.remove_ended()) {
    update_stats();
    while (ended) {
      tell_end(*ended);
      std::unique_ptr<Sequence> next = std::move(ended->next_ended);
      ended = std::move(next);
    }
  }
}

void Loop::update_stats() {
  const PagePool& pool = scheduler_.pool();
  mailbox_.set_waiting(scheduler_.waiting().size());
  counts_.running = scheduler_.running().size();
  auto capacity = static_cast<double>(pool.capacity());
  counts_.kv_usage = static_cast<double>(pool.held()) / capacity;
  counts_.kv_reserved = static_cast<double>(pool.held() + pool.reserved()) / capacity;
  Lock lock(stats_mutex_);
  stats_ = counts_;
}

EngineStats Loop::stats() const {
  Lock lock(stats_mutex_);
  EngineStats stats = stats_;
  stats.waiting = mailbox_.waiting();
  return stats;
}

}  // namespace chorus::engine
