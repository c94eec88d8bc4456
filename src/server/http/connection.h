// One connection: reads requests, has them answered one after the other, and keeps the deadlines.
// A read stays pending while a request is answered, so that a client that goes away is noticed at
// once.
//
// Thread contract: all on the thread of its loop.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/byte_budget.h"
#include "server/http/http_error.h"
#include "server/http/http_service.h"
#include "server/http/input_buffer.h"
#include "server/http/loop.h"
#include "server/http/request_reader.h"
#include "server/http/signal.h"
#include "server/http/task.h"
#include "server/http/transport.h"

namespace chorus::server {

class Connection final : public TransportUser, public std::enable_shared_from_this<Connection> {
 public:
  using Clock = std::chrono::steady_clock;

  // One that is not to be served is told that there are too many, and no more.
  Connection(HttpService& service, Loop& loop, std::unique_ptr<Transport> transport,
             std::string peer, Admission admission, AddressPlace place);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Serves it to its end. Held by a shared pointer: a read that is pending keeps it, too.
  Task<void> run();

  // For the loop: what its deadlines say now.
  void tick(Clock::time_point now);
  // Cuts it, whatever it is doing. The first reason is kept.
  void abort(std::string_view reason);
  // Whether it waits for a request, and since when.
  bool is_idle() const { return is_idle_; }
  Clock::time_point idle_since() const { return idle_since_; }
  // Its address's; null if that has no bound.
  const std::shared_ptr<AddressShare>& share() const { return place_.share(); }

  // For an exchange.
  HttpService& service() { return service_; }
  // When what it does now began.
  Clock::time_point entered() const { return entered_; }
  Loop& loop() { return loop_; }
  Signal& signal() { return signal_; }
  const std::string& peer() const { return peer_; }
  const std::string& address() const { return address_; }
  // Whether its requests may be others', whom X-Forwarded-For names.
  bool is_proxy() const { return is_proxy_; }
  // For a whole answer; its memory is kept for the next one.
  std::string& answer_buffer() { return answer_; }
  std::string_view abort_reason() const { return abort_reason_; }
  bool is_gone() const { return closed_; }
  bool is_expired() const { return expired_; }
  bool is_writing() const { return writing_; }
  // Sends what the system takes without a turn of the loop, and returns the rest. The loop's other
  // connections have their turn before it is done again: so nobody who sends many requests at once
  // keeps the loop from them.
  std::string_view send_now(std::string_view data);
  // Sends all of it; false if the client is gone.
  Task<bool> send(std::string_view data);
  // Raises the signal then, once, to within the clock's 50 ms.
  void wake_at(Clock::time_point time) { wake_ = time; }
  // Waits for the signal. Meanwhile the client's going away cuts the connection.
  Task<void> wait();

 private:
  enum class Phase { kHandshake, kIdle, kRequest, kAnswer, kEnd };

  void enter(Phase phase, std::chrono::milliseconds time);
  // For the transport.
  void has_read(std::size_t count) override;
  void has_written(std::size_t count) override;
  void has_lost_read() override;
  void has_lost_write() override;
  void set_idle(bool is_idle);
  Task<void> serve_turned_away();
  void start_read();
  void begin_write(std::string_view data);
  void check_memory() const;
  bool is_over() const;
  bool hold_input();
  Task<bool> read_more();
  Task<void> serve_all();
  void await_request();
  // A request that came as a whole is read here; whatever else, by read_request().
  bool read_whole_request();
  void read_on();
  // False: it could not be read, and was answered so if there was anybody to answer.
  Task<bool> read_request();
  // Whether another request may follow.
  Task<bool> answer();
  Task<void> refuse(const HttpError& error);
  Task<void> refuse_without_memory();
  Task<void> finish();

  HttpService& service_;
  Loop& loop_;
  const Admission admission_;
  const bool admitted_;
  const AddressPlace place_;
  std::unique_ptr<Transport> transport_;
  const std::string peer_, address_;
  const bool is_proxy_;
  Signal signal_, write_signal_;  // of all else, and of the write's end
  RequestReader reader_;
  std::optional<HttpError> read_error_;  // of what reader_ was given
  std::string answer_;

  InputBuffer input_;
  HeldBytes held_;  // for input_ and the request's body
  std::array<char, 8192> chunk_;
  bool reading_ = false, at_end_ = false;  // of the input
  bool is_beginning_ = false;              // a read or a write
  bool writing_ = false, closed_ = false;
  std::size_t written_ = 0;  // by the last write
  bool may_send_now_ = false;
  bool out_of_memory_ = false;  // for what came in
  std::size_t sent_ = 0;        // bytes, of what is being answered
  bool lingers_ = false;        // the client may still be sending what nobody will read
  std::string_view abort_reason_;

  Phase phase_ = Phase::kHandshake;
  Clock::time_point entered_, deadline_, write_deadline_;
  Clock::time_point wake_ = Clock::time_point::max();
  bool expired_ = false;
  bool is_idle_ = false;
  Clock::time_point idle_since_;
  bool is_last_wait_ = false;  // for a request, while the server drains
  bool has_served_ = false;    // a request, or is about to
};

}  // namespace chorus::server
