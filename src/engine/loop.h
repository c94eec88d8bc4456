// The engine's thread: it makes one step after the other as long as there is something to do, and
// sleeps otherwise. A step is: take what has come, admit, plan, forward, sample, emit.
//
// Thread contract: run() is the thread; stats() may be called from any.
#pragma once

#include <optional>
#include <vector>

#include "chorus/engine.h"
#include "core/mutex.h"
#include "core/thread_team.h"
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

  EngineStats stats() const;
  Result<void> check() const { return scheduler_.check(); }  // on the engine's thread

 private:
  // What a row of logits has become.
  struct Outcome {
    TokenInfo info;
    std::optional<Error> error;
  };

  void begin(const std::shared_ptr<RequestState>& request);
  void end_cancelled();
  void step();
  void start(Sequence& sequence, Clock::time_point now);
  void compute(const Plan& plan);
  Outcome outcome_of(const LogitsRow& row, std::span<float> logits,
                     sampling::SamplerScratch& scratch) const;
  void emit(const Plan& plan);
  void emit_token(Sequence& sequence, TokenInfo info);
  void emit_prompt(Sequence& sequence);
  void finish(Sequence& sequence, FinishReason reason);
  void fail(Sequence& sequence, Error error);
  void fail_all(const Error& error);
  void deliver_end(Sequence& sequence, Event event);
  void settle();
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

  struct End {
    std::shared_ptr<RequestState> state;
    Event event;
  };
  std::vector<End> ends_;  // events that are to be delivered once all is given back

  EngineStats counts_;  // the engine thread's own
  mutable Mutex stats_mutex_;
  EngineStats stats_ CHORUS_GUARDED_BY(stats_mutex_);  // a copy of counts_ for others
};

}  // namespace chorus::engine
