// The server's log on standard error, by spdlog: a line for each event, text or JSON. Lines are
// written by a thread of their own from a bounded queue whose oldest line gives way, so that a full
// disk, a stuck pipe or a closed standard error never stops a request.
//
// Thread contract: any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace chorus::server {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// One answered request.
struct AccessRecord {
  std::string_view id, peer, method;
  std::string_view route;        // its pattern, which holds no prompt: "/generate/PROMPT"
  std::string_view target = {};  // as it was sent; empty: not to be logged
  std::string_view model = {};
  std::string_view outcome = {};  // why the answer is not whole: "client went away", ...
  int status = 0;
  std::uint64_t bytes = 0;  // of the answer
  double seconds = 0.0;
  std::int64_t prompt_tokens = 0, generated_tokens = 0;
  bool is_quiet = false;  // logged at debug level: health checks and the like
};

class Log {
 public:
  // `level`: debug, info, warn, error or off.
  Log(const std::string& level, bool as_json);
  ~Log();  // writes what is waiting
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(LogLevel level, std::string_view message);
  void access(const AccessRecord& record);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace chorus::server
