#include "waiting.h"

#include <algorithm>
#include <vector>

namespace chorus::python {
namespace {

// What the threads of run_items() share.
struct Items {
  std::size_t count;
  const std::function<Result<void>(std::size_t)>& item;

  std::mutex mutex = {};
  std::condition_variable ended = {};
  std::size_t next = 0, running = 0;
  bool stop = false;
  std::optional<std::pair<std::size_t, Error>> first_error = {};

  void work() {
    std::unique_lock lock(mutex);
    while (!stop && next < count) {
      std::size_t i = next++;
      lock.unlock();
      Result<void> result = item(i);
      lock.lock();
      if (result) continue;
      stop = true;
      if (!first_error || i < first_error->first) first_error.emplace(i, result.assume_error());
    }
    if (--running == 0) ended.notify_all();
  }
};

}  // namespace

Result<void> run_items(std::size_t count, std::size_t threads,
                       const std::function<Result<void>(std::size_t)>& item,
                       const std::function<void()>& interrupt) {
  Items items{.count = count, .item = item};
  std::vector<std::thread> team;
  items.running = std::min(count, std::max<std::size_t>(threads, 1));
  for (std::size_t i = items.running; i > 0; --i) team.emplace_back([&items] { items.work(); });
  auto join = [&] {
    Unlocked unlocked;
    for (std::thread& thread : team) thread.join();
  };
  try {
    wait_for([&](std::chrono::milliseconds slice) {
      std::unique_lock lock(items.mutex);
      return items.ended.wait_for(lock, slice, [&] { return items.running == 0; });
    });
  } catch (...) {
    {
      std::lock_guard lock(items.mutex);
      items.stop = true;
    }
    interrupt();
    join();
    throw;
  }
  join();
  if (items.first_error) return std::move(items.first_error->second);
  return ok();
}

}  // namespace chorus::python
