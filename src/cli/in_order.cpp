#include "cli/in_order.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>
#include <mutex>
#include <semaphore>
#include <utility>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace chorus::cli {
namespace {

// The answers in their order: one that comes early waits for those before it.
// Thread contract: put() from any thread.
class OrderedAnswers {
 public:
  void put(std::size_t place, Answer answer, bool is_refusal) {
    std::lock_guard lock(mutex_);
    if (is_refusal) ++failed_;
    tokens_ += answer.tokens;
    early_.emplace(place, std::move(answer.text));
    while (!early_.empty() && early_.begin()->first == next_) {
      write(early_.begin()->second);
      early_.erase(early_.begin());
      ++next_;
    }
    progress_.update(tokens_, 0);
  }

  // Whether writing has failed.
  bool broken() {
    std::lock_guard lock(mutex_);
    return !write_error_.empty();
  }

  // When all have been put.
  void finish(const std::string& where) {
    progress_.finish();
    if (!write_error_.empty()) throw CommandFailed(write_error_);
    if (failed_ > 0) {
      throw CommandFailed(fmt::format("{} of {} requests failed: {}", failed_, next_, where));
    }
  }

 private:
  void write(const std::string& text) {
    if (!write_error_.empty()) return;
    try {
      write_output(text);
    } catch (const CommandFailed& error) {
      write_error_ = error.what();
    }
  }

  std::mutex mutex_;  // guards all
  std::map<std::size_t, std::string> early_;
  std::size_t next_ = 0, failed_ = 0;
  std::uint64_t tokens_ = 0;
  std::string write_error_;
  ProgressBar progress_{"Requests", ProgressOutput::standard_error(), kTokens};
};

}  // namespace

void answer_in_order(std::size_t parallel, const std::string& where,
                     const std::function<std::optional<Work>()>& next) {
  OrderedAnswers answers;
  auto work = [&answers](std::size_t place, const Work& one) {
    try {
      answers.put(place, one.answer(), false);
    } catch (const CommandFailed& error) {
      answers.put(place, {.text = one.refusal(error.what())}, true);
    }
  };
  std::counting_semaphore<> room(static_cast<std::ptrdiff_t>(parallel));
  boost::asio::thread_pool pool(parallel);
  for (std::size_t place = 0; !answers.broken(); ++place) {
    std::optional<Work> one = [&] {
      try {
        return next();
      } catch (const CommandFailed&) {  // what came before it is still answered
        pool.join();
        throw;
      }
    }();
    if (!one) break;
    if (parallel == 1) {
      work(place, *one);
      continue;
    }
    room.acquire();
    boost::asio::post(pool, [&, place, one = std::move(*one)] {
      work(place, one);
      room.release();
    });
  }
  pool.join();
  answers.finish(where);
}

}  // namespace chorus::cli
