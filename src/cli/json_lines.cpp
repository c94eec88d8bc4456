#include "cli/json_lines.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <map>
#include <mutex>
#include <semaphore>
#include <sstream>

#include "cli/commands.h"
#include "cli/model_source.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/text_input.h"
#include "json/parse.h"
#include "json/text.h"

namespace chorus::cli {
namespace {

namespace json = boost::json;

// That the end of `in` is no error of reading, which of standard input the stream does not tell.
void expect_whole(std::istream& in) {
  if (in.bad() || (&in == &std::cin && std::ferror(stdin) != 0)) {
    throw CommandFailed("standard input: cannot be read");
  }
}

// The answers in the order of their lines: one that comes early waits for those before it.
// Thread contract: put() and put_error() from any thread.
class OrderedAnswers {
 public:
  void put(std::size_t place, LineAnswer answer) {
    std::lock_guard lock(mutex_);
    tokens_ += answer.tokens;
    early_.emplace(place, std::move(answer.json));
    while (!early_.empty() && early_.begin()->first == next_) {
      write(early_.begin()->second + "\n");
      early_.erase(early_.begin());
      ++next_;
    }
    progress_.update(tokens_, 0);
  }

  void put_error(std::size_t place, std::size_t line_number, const char* message) {
    {
      std::lock_guard lock(mutex_);
      ++failed_;
    }
    put(place, {.json = fmt::format(R"({{"error":{{"line":{},"message":{}}}}})", line_number,
                                    json_string(message))});
  }

  // Whether writing has failed.
  bool broken() {
    std::lock_guard lock(mutex_);
    return !write_error_.empty();
  }

  // When all have been put.
  void finish() {
    progress_.finish();
    if (!write_error_.empty()) throw CommandFailed(write_error_);
    if (failed_ > 0) {
      throw CommandFailed(
          fmt::format("{} of {} requests failed: see \"error\" in their lines", failed_, next_));
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

void answer_json_lines(std::istream& in, const TextEncoding& encoding, std::size_t parallel,
                       const std::function<LineAnswer(const json::object&)>& answer) {
  if (!is_utf8(encoding)) {
    std::string bytes(std::istreambuf_iterator<char>(in), {});
    expect_whole(in);
    std::istringstream text(text_of(std::move(bytes), "standard input", encoding));
    return answer_json_lines(text, {}, parallel, answer);
  }
  OrderedAnswers answers;
  std::size_t number = 0;
  auto work = [&](std::size_t place, std::size_t line_number, const std::string& line) {
    try {
      std::string text = text_of(line, "the line", encoding);
      answers.put(place, answer(value_or_fail(parse_json_object(text))));
    } catch (const CommandFailed& error) {
      answers.put_error(place, line_number, error.what());
    }
  };
  boost::asio::thread_pool pool(parallel);
  std::counting_semaphore<> room(static_cast<std::ptrdiff_t>(parallel));
  std::size_t place = 0;
  for (std::string line; !answers.broken() && std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (parallel == 1) {
      work(place++, number, line);
      continue;
    }
    room.acquire();
    boost::asio::post(pool, [&, place, number, line = std::move(line)] {
      work(place, number, line);
      room.release();
    });
    ++place;
  }
  pool.join();
  answers.finish();
  expect_whole(in);
}

void expect_no_error(const JsonFields& fields) {
  if (auto error = fields.error()) throw CommandFailed(error->message());
}

}  // namespace chorus::cli
