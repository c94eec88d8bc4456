// The server's log on standard error, by spdlog: a line for each event, text or JSON. Lines are
// written by a thread of their own from a bounded queue whose oldest line gives way, so that a full
// disk, a stuck pipe or a closed standard error never stops a request.
//
// Thread contract: any thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "server/http/http_observer.h"

namespace chorus::server {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// A message, a JSON object for each of its lines, as a Log writes it: for what there is no Log yet.
std::string json_log_lines(LogLevel level, std::string_view message);

class Log {
 public:
  // `level`: debug, info, warn, error or off.
  Log(const std::string& level, bool as_json);
  ~Log();  // writes what is waiting
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(LogLevel level, std::string_view message);
  // Waits until what was written is out, but not longer than this.
  void settle(std::chrono::milliseconds most);
  // At info level; a quiet one at debug level.
  void access(const AnswerRecord& record);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace chorus::server
