#include "waiting.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
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

std::mutex waiting_mutex;
std::condition_variable waiting_changed;
std::size_t waiting_threads = 0;  // guarded by waiting_mutex

}  // namespace

Waiting::Waiting() {
  std::lock_guard lock(waiting_mutex);
  ++waiting_threads;
}

Waiting::~Waiting() {
  std::lock_guard lock(waiting_mutex);
  if (--waiting_threads == 0) waiting_changed.notify_all();
}

void let_waiting_return() {
  nanobind::gil_scoped_release release;
  std::unique_lock lock(waiting_mutex);
  if (waiting_threads == 0) return;
  waiting_changed.wait_for(lock, std::chrono::seconds(2), [] { return waiting_threads == 0; });
  lock.unlock();
  // The last steps, out of nanobind, are not counted.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

bool is_main_thread() { return syscall(SYS_gettid) == getpid(); }

Result<void> run_items(std::size_t count, std::size_t threads,
                       const std::function<Result<void>(std::size_t)>& item,
                       const std::function<void()>& interrupt) {
  Items items{.count = count, .item = item};
  std::vector<std::thread> team;
  items.running = std::min(count, std::max<std::size_t>(threads, 1));
  for (std::size_t i = items.running; i > 0; --i) team.emplace_back([&items] { items.work(); });
  auto join = [&] {
    nanobind::gil_scoped_release release;
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
