// What an Engine holds, for the files that implement it, and its tests.
#pragma once

#include <memory>
#include <thread>
#include <utility>

#include "chorus/engine.h"
#include "core/memory_claim.h"
#include "core/thread_team.h"
#include "engine/internals.h"
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

  MemoryClaim memory;  // given back last
  ModelInfo info;
  const engine::ModelTokens tokens;
  ThreadTeam team;
  std::unique_ptr<const model::Model> model;
  std::shared_ptr<engine::Mailbox> mailbox;
  std::unique_ptr<engine::Loop> loop;
  std::thread thread;  // runs the loop
};

}  // namespace chorus
