// What the connections tell of themselves: for a log and metrics, of which they know nothing.
//
// Thread contract: called by every loop; must not block.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace chorus::server {

// What an answer that is an error says.
struct AnswerError {
  std::string field = {}, code = {}, message = {};  // empty: it says nothing of it
};

// One answered request.
struct AnswerRecord {
  std::string_view id;
  std::string_view peer;    // of the connection: "10.0.0.1:5000", "unix"
  std::string_view client;  // whose request it is: an address
  std::string_view method;
  std::string_view route;        // its pattern, which holds no prompt: "/generate/PROMPT"
  std::string_view target = {};  // as it was sent; empty: not to be logged
  std::string_view model = {};
  std::string_view outcome = {};  // why the answer is not whole: "client went away", ...
  AnswerError error = {};
  int status = 0;           // 499, as nginx counts them: the client went away
  std::uint64_t bytes = 0;  // of the answer
  double seconds = 0.0;
  std::int64_t prompt_tokens = 0, generated_tokens = 0;
  bool is_quiet = false;  // health checks and the like
};

class HttpObserver {
 public:
  virtual ~HttpObserver() = default;
  virtual void connections_changed(int difference) = 0;
  // One was not served, as there are too many; of its address, or of all.
  virtual void connection_refused(bool of_address) = 0;
  // One that was idle was closed for a new one.
  virtual void connection_put_out() = 0;
  virtual void answered(const AnswerRecord& record) = 0;
  // Something went wrong that no client can be told.
  virtual void warn(std::string_view message) = 0;
};

}  // namespace chorus::server
