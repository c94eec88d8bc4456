// What an Engine holds, for its tests and the files that implement it: engine.cpp, score.cpp.
#pragma once

#include <memory>
#include <thread>
#include <utility>

#include "chorus/engine.h"
#include "core/thread_team.h"
#include "engine/loop.h"
#include "engine/mailbox.h"
#include "engine/model_tokens.h"
#include "model/model.h"

namespace chorus {

struct Engine::Impl {
  Impl(std::size_t threads, bool pin, std::size_t max_queue, engine::ModelTokens model_tokens)
      : tokens(std::move(model_tokens)),
        team(threads, pin),
        mailbox(std::make_shared<engine::Mailbox>(max_queue)) {}
  ~Impl();

  // What the Engine's own functions of these names do; these throw std::bad_alloc.
  static Result<std::unique_ptr<Engine>> load(const checkpoint::Checkpoint& checkpoint,
                                              const EngineOptions& options);
  // A request that can be posted: checked, with its stream.
  Result<std::shared_ptr<engine::RequestState>> prepare(Request request, EventCallback on_event);

  ModelInfo info;
  const engine::ModelTokens tokens;
  ThreadTeam team;
  std::unique_ptr<const model::Model> model;
  std::shared_ptr<engine::Mailbox> mailbox;
  std::unique_ptr<engine::Loop> loop;
  std::thread thread;  // runs the loop
};

// What tests may see of an engine.
struct EngineInternals {
  // Whether pages, reservations and sequences agree; waits for the step that is being made. Errors:
  // kCorrupt, with what disagrees.
  static Result<void> check_integrity(Engine& engine);
};

}  // namespace chorus
