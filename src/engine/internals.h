// What the engine's tests, and measurements of the machine that it runs on, may see of an engine beside its public
// interface. Nothing that is installed.
//
// Thread contract: any thread but the engine's own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "chorus/engine.h"
#include "core/thread_team.h"

namespace chorus {

struct EngineInternals {
  // Whether pages, reservations and sequences agree; waits for the step that is being made. Errors:
  // kCorrupt, with what disagrees.
  static Result<void> check_integrity(Engine& engine);

  // Runs `work`, which must not throw, on every thread that computes, between two steps, and tells how many
  // seconds it took; nothing is run if a request runs or waits then. Requests that come meanwhile wait for its end.
  static std::optional<double> run_when_idle(Engine& engine,
                                             const std::function<void(ThreadTeam::Member&)>& work);

  // The memory of the matrices that a step multiplies by, whole. It lives as long as the engine.
  static std::vector<std::span<const std::byte>> step_weights(const Engine& engine);
  // How many weights those are: the products of one token.
  static std::uint64_t step_products(const Engine& engine);
};

}  // namespace chorus
