// The engine's thread: it makes one step after the other as long as there is something to do, and
// sleeps otherwise. A step is: take what has come, admit, plan, forward, sample, emit.
//
// Memory: a request for which there is none is given up, and nothing else is concerned. What belongs
// to one request is attempted (attempt()); what belongs to the step is allotted before anything is
// changed, and if it cannot be, the request with the most rows in it goes. To end a request, give
// back what it held and say so needs no memory.
//
// Thread contract: run() is the thread; stats() may be called from any.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "chorus/engine.h"
#include "core/mutex.h"
#include "core/thread_team.h"
#include "engine/lingering.h"
#include "engine/mailbox.h"
#include "engine/model_tokens.h"
#include "engine/scheduler.h"
#include "model/model.h"
#include "sampling/sampler.h"

namespace chorus::engine {

class Loop {
 public:
  Loop(const model::Model& model, const ModelTokens& tokens, ThreadTeam& team, Mailbox& mailbox,
       std::size_t max_pages, const EngineOptions& options);

  // Until the mailbox says stop; then every request has ended.
  void run();
  // On the engine's thread: Engine::after_callbacks().
  void after_callbacks(std::function<void()> function) { after_callbacks_ = std::move(function); }

  EngineStats stats() const;
  // On the engine's thread.
  Result<void> check() const { return scheduler_.check(); }
  bool is_idle() const { return scheduler_.running().empty() && scheduler_.waiting().empty(); }

 private:
  // What a row of logits has become.
  struct Outcome {
    TokenInfo info = {};
    std::optional<Error> error = {};
    bool out_of_memory = false;
  };

  // Does what is one request's alone. Without memory for it that request is given up.
  template <class Work>
  void attempt(RequestState& request, Work&& work);
  void begin(const std::shared_ptr<RequestState>& request);
  void add_samples(const std::shared_ptr<RequestState>& request);
  void end_cancelled(bool all);
  void linger();
  void pass_on();
  void step();
  void start(Sequence& sequence, Clock::time_point now);
  // Throws std::bad_alloc, before anything is computed.
  void compute(const Plan& plan);
  Outcome outcome_of(const LogitsRow& row, std::span<float> logits,
                     sampling::SamplerScratch& scratch) const;
  void emit(const Plan& plan);
  void emit_outcome(const LogitsRow& row, Outcome& outcome);
  void emit_token(Sequence& sequence, TokenInfo info);
  void emit_prompt(Sequence& sequence);
  void finish(Sequence& sequence, FinishReason reason);
  void fail(Sequence& sequence, Error error);
  void end(Sequence& sequence, Event event);
  void tell_end(Sequence& sequence);
  void settle();
  void tell_out_of_memory(RequestState& request);
  void update_stats();

  const model::Model& model_;
  const ModelTokens& tokens_;
  ThreadTeam& team_;
  Mailbox& mailbox_;
  Scheduler scheduler_;
  model::KvStore store_;
  model::Workspace workspace_;
  std::vector<sampling::SamplerScratch> scratch_;  // one for each member of the team
  std::vector<Outcome> outcomes_;                  // of the plan's logits rows

  // Of the last step, for linger().
  struct LastStep {
    std::size_t sequences = 0;
    Clock::duration time = {};
    std::size_t posted = 0;  // requests, before an end was told
    std::size_t ended = 0;   // requests of which somebody was told that they have
  };
  LastStep last_step_;
  Lingering lingering_;
  std::function<void()> after_callbacks_;

  EngineStats counts_;  // the engine thread's own
  mutable Mutex stats_mutex_;
  EngineStats stats_ CHORUS_GUARDED_BY(stats_mutex_);  // a copy of counts_ for others
};

}  // namespace chorus::engine
