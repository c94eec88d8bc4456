// What one client has in the engine. Its requests share it (RequestState), so that none can push the
// others out: of the queue, of the places to run, of the rows of a step.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace chorus::engine {

struct Client {
  // Samples that wait. The mailbox adds, under its lock; the engine's thread takes away.
  std::atomic<std::size_t> waiting{0};

  // The engine's thread alone.
  std::size_t asking = 0;  // while something is dealt out: how many of its sequences ask for it
  std::uint64_t last_step = 0;  // in which one of them had rows
};

}  // namespace chorus::engine
