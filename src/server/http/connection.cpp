#include "server/http/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <new>
#include <utility>

#include "server/http/exchange.h"

namespace chorus::server {
namespace {

namespace asio = boost::asio;

// How long, and how much, a client that was refused may go on sending.
constexpr std::chrono::milliseconds kLingerTime{2000};
constexpr std::size_t kMostLingering = 4 * 1024 * 1024;

// How long after a request's deadline its answer, which then says so, may still take to be sent.
constexpr std::chrono::milliseconds kLastWrite{2000};

// How long a connection without a request may still send one when the server drains: closed at once, it
// would meet those that are on their way.
constexpr std::chrono::milliseconds kLastRequest{1000};

// How long one of too many connections may take until it asks.
constexpr std::chrono::milliseconds kTurnedAwayTime{1000};

constexpr std::string_view kNoMemoryBody =
    R"({"error":{"message":"not enough memory to answer","type":"service_unavailable_error",)"
    R"("param":null,"code":"out_of_memory"}})";

// What is sent where there is not even memory to write an answer; made before there is a shortage.
const std::string kNoMemory = fmt::format(
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    "Content-Length: {}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n{}",
    kNoMemoryBody.size(), kNoMemoryBody);

// Counts while it lives.
class Counted {
 public:
  explicit Counted(SpreadCount& count) : count_(count) { count_.add(1); }
  ~Counted() { count_.add(-1); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  SpreadCount& count_;
};

}  // namespace

Connection::Connection(HttpService& service, Loop& loop, std::unique_ptr<Transport> transport,
                       std::string peer, Admission admission, AddressPlace place)
    : service_(service),
      loop_(loop),
      admission_(admission),
      admitted_(admission == Admission::kServed),
      place_(std::move(place)),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      address_(peer_address(peer_)),
      is_proxy_(service.proxies.trusts_peer(peer_)),
      signal_(loop.context().get_executor()),
      write_signal_(loop.context().get_executor()),
      reader_({service.options.max_header, service.options.max_body}),
      held_(service.buffers, bytes_of(place_.share())) {
  loop_.add(*this);
  ++(admitted_ ? service_.connections : service_.turned_away);
  if (admitted_) service_.observer.connections_changed(1);
}

Connection::~Connection() {
  set_idle(false);
  loop_.remove(*this);
  --(admitted_ ? service_.connections : service_.turned_away);
  if (admitted_) service_.observer.connections_changed(-1);
}

void Connection::enter(Phase phase, std::chrono::milliseconds time) {
  phase_ = phase;
  entered_ = Clock::now();
  deadline_ = entered_ + time;
  expired_ = false;
  is_last_wait_ = false;
  set_idle(admitted_ && phase == Phase::kIdle && !closed_);
}

void Connection::set_idle(bool is_idle) {
  if (is_idle && !is_idle_) idle_since_ = entered_;
  if (std::exchange(is_idle_, is_idle) == is_idle) return;
  service_.idle.add(is_idle ? 1 : -1);
  if (place_.share() != nullptr) place_.share()->idle.add(is_idle ? 1 : -1);
}

void Connection::tick(Clock::time_point now) {
  if (now >= wake_) {
    wake_ = Clock::time_point::max();
    signal_.raise();
  }
  if (writing_ && now > write_deadline_) return abort("slow reader");
  if (writing_ && now > deadline_ + kLastWrite) return abort("the answer was not read in time");
  if (phase_ == Phase::kIdle && service_.draining && !is_last_wait_) {
    is_last_wait_ = true;
    deadline_ = std::min(deadline_, now + kLastRequest);
  }
  bool is_over = now > deadline_;
  if (!is_over || expired_) return;
  expired_ = true;
  if (phase_ == Phase::kHandshake || phase_ == Phase::kEnd) return abort("timeout");
  signal_.raise();
}

void Connection::abort(std::string_view reason) {
  if (closed_) return;
  closed_ = true;
  set_idle(false);
  abort_reason_ = reason;
  transport_->close();
  signal_.raise();
}

namespace {

// A read or a write is being begun: what is lost then is told of by the exception.
class Beginning {
 public:
  explicit Beginning(bool& flag) : flag_(flag) { flag_ = true; }
  ~Beginning() { flag_ = false; }
  Beginning(const Beginning&) = delete;
  Beginning& operator=(const Beginning&) = delete;

 private:
  bool& flag_;
};

}  // namespace

void Connection::start_read() {
  if (reading_ || at_end_ || closed_) return;
  Beginning beginning(is_beginning_);
  transport_->read_some(asio::buffer(chunk_), shared_from_this());
  reading_ = true;
}

void Connection::has_read(std::size_t count) {
  reading_ = false;
  at_end_ = count == 0;
  try {
    if (phase_ != Phase::kEnd) input_.append({chunk_.data(), count});
  } catch (const std::bad_alloc&) {
    out_of_memory_ = true;
  }
  if (at_end_ && phase_ == Phase::kAnswer) abort("client went away");
  may_send_now_ = true;
  signal_.raise_at_once();
}

void Connection::has_written(std::size_t count) {
  writing_ = false;
  written_ = count;
  write_signal_.raise_at_once();
}

void Connection::has_lost_read() {
  if (is_beginning_) return;
  reading_ = false;
  abort("out of memory");
}

void Connection::has_lost_write() {
  if (is_beginning_) return;
  writing_ = false;
  written_ = 0;
  abort("out of memory");
  write_signal_.raise();
}

// Bytes of a request were lost.
void Connection::check_memory() const {
  if (out_of_memory_) throw std::bad_alloc();
}

// Nothing more of a request is to be waited for.
bool Connection::is_over() const { return at_end_ || closed_ || expired_ || out_of_memory_; }

Task<bool> Connection::read_more() {
  std::size_t before = input_.size();
  start_read();
  while (input_.size() == before && !is_over()) co_await signal_.wait();
  check_memory();
  co_return input_.size() > before;
}

// False: the clients' bytes are more than may be held together.
bool Connection::hold_input() { return held_.resize(input_.memory() + reader_.body_bytes()); }

Task<void> Connection::wait() {
  // Who does not read cannot see the client go away.
  if (input_.size() > service_.options.max_header + service_.options.max_body) {
    abort("too much sent ahead");
  } else if (!hold_input()) {
    abort("no buffers for what was sent ahead");
  } else {
    start_read();
  }
  co_await signal_.wait();
  may_send_now_ = true;
  check_memory();
}

std::string_view Connection::send_now(std::string_view data) {
  if (data.empty() || closed_ || !std::exchange(may_send_now_, false)) return data;
  std::size_t count = transport_->write_now(asio::buffer(data.data(), data.size()));
  sent_ += count;
  return data.substr(count);
}

Task<bool> Connection::send(std::string_view data) {
  while (!data.empty() && !closed_) {
    write_deadline_ = Clock::now() + service_.options.idle_timeout;
    begin_write(data);
    co_await write_signal_.wait();
    if (written_ == 0) abort("client went away");
    sent_ += written_;
    data.remove_prefix(written_);
  }
  co_return !closed_;
}

void Connection::begin_write(std::string_view data) {
  Beginning beginning(is_beginning_);
  transport_->write_some(asio::buffer(data.data(), data.size()), shared_from_this());
  writing_ = true;
}

Task<void> Connection::run() {
  // However it ends, what is still being read or written ends with it.
  struct CloseAtEnd {
    explicit CloseAtEnd(Connection& its) : connection(its) {}
    ~CloseAtEnd() {
      connection.closed_ = true;
      connection.transport_->close();
    }
    CloseAtEnd(const CloseAtEnd&) = delete;
    CloseAtEnd& operator=(const CloseAtEnd&) = delete;
    Connection& connection;
  } close(*this);
  enter(Phase::kHandshake, service_.options.header_timeout);
  bool is_out_of_memory = false;
  try {
    co_await serve_all();
  } catch (const std::bad_alloc&) {
    is_out_of_memory = true;
  } catch (const std::exception& error) {
    service_.observer.warn(std::string("a connection failed: ") + error.what());
  }
  if (is_out_of_memory) co_await refuse_without_memory();
  co_await finish();
}

Task<void> Connection::serve_all() {
  bool goes_on = co_await transport_->handshake();
  if (goes_on && !admitted_) {
    co_return co_await serve_turned_away();
  }
  while (goes_on) {
    await_request();
    while (input_.size() == 0 && !is_over()) {
      start_read();
      co_await signal_.wait();
    }
    bool has_request = read_whole_request() || co_await read_request();
    goes_on = has_request && co_await answer();
  }
}

void Connection::await_request() {
  reader_.reset();
  sent_ = 0;
  enter(Phase::kIdle,
        has_served_ ? service_.options.keep_alive_timeout
                    : std::min(service_.options.first_byte_timeout, service_.options.idle_timeout));
  has_served_ = true;
}

// One of too many: it is told so, unless it asks whether the server lives.
Task<void> Connection::serve_turned_away() {
  enter(Phase::kIdle, kTurnedAwayTime);
  bool has_request = co_await read_request();
  if (has_request && service_.handler.is_for_everybody(reader_.request())) {
    reader_.request().keep_alive = false;
    co_await answer();
  } else if (sent_ == 0 && !closed_) {
    co_await refuse(too_many(admission_));
  }
}

bool Connection::read_whole_request() {
  check_memory();
  read_on();
  return !read_error_ && reader_.is_done() && hold_input();
}

void Connection::read_on() {
  HttpResult<std::size_t> used = reader_.put(input_.unused());
  if (used) {
    input_.consume(used.assume_value());
  } else {
    read_error_ = std::move(used.assume_error());
  }
}

Task<bool> Connection::read_request() {
  bool has_head = false;
  while (true) {
    if (!read_error_) read_on();
    if (read_error_) {
      co_await refuse(*read_error_);
      co_return false;
    }
    if (!hold_input()) {
      co_await refuse(buffers_full());
      co_return false;
    }
    if (reader_.is_done()) co_return true;
    if (phase_ == Phase::kIdle && reader_.has_begun()) {
      enter(Phase::kRequest, service_.options.header_timeout);
    }
    if (!has_head && reader_.head_is_done()) {
      has_head = true;
      // One of too many is told so by its head, before it sends a body.
      if (!admitted_ && !service_.handler.is_for_everybody(reader_.request())) co_return false;
      if (auto error = service_.handler.check_head(reader_.request())) {
        co_await refuse(*error);
        co_return false;
      }
      enter(Phase::kRequest, service_.options.idle_timeout);  // for the body
      if (reader_.request().expects_continue && !co_await send("HTTP/1.1 100 Continue\r\n\r\n")) {
        co_return false;
      }
    }
    if (co_await read_more()) continue;
    if (expired_ && phase_ == Phase::kRequest && !closed_) {
      co_await refuse(HttpError(408, "the request did not arrive in time"));
    }
    co_return false;
  }
}

Task<bool> Connection::answer() {
  enter(Phase::kAnswer, service_.options.request_timeout);
  Counted running(service_.running);
  Exchange exchange(*this, reader_.request());
  std::exception_ptr failure;
  bool is_out_of_memory = false;
  try {
    co_await service_.handler.answer(exchange);
  } catch (const std::bad_alloc&) {
    is_out_of_memory = true;
  } catch (...) {
    failure = std::current_exception();
  }
  if (is_out_of_memory && sent_ == 0) throw std::bad_alloc();  // it will be answered
  if (is_out_of_memory) abort("out of memory");
  exchange.report();
  if (failure) std::rethrow_exception(failure);
  co_return exchange.keeps_alive() && !closed_;
}

// For what is no request: there is nothing to route.
Task<void> Connection::refuse(const HttpError& error) {
  enter(Phase::kAnswer, service_.options.idle_timeout);
  lingers_ = true;
  Exchange exchange(*this, reader_.request());
  exchange.close_after();
  co_await service_.handler.refuse(exchange, error);
  exchange.report();
}

// In place of an answer of which nothing was sent.
Task<void> Connection::refuse_without_memory() {
  bool is_asked = phase_ == Phase::kAnswer || phase_ == Phase::kRequest || reader_.has_begun();
  if (!is_asked || sent_ > 0 || closed_) co_return;
  bool is_answered = true;
  try {
    co_await refuse(out_of_memory());
  } catch (const std::bad_alloc&) {
    is_answered = false;
  }
  if (!is_answered && sent_ == 0) co_await send(kNoMemory);
}

// Closing with unread input would reset the connection, and the client might never see the answer.
Task<void> Connection::finish() {
  enter(Phase::kEnd, kLingerTime);
  if (!closed_) co_await transport_->shutdown();
  std::size_t discarded = 0;
  while (lingers_ && !at_end_ && !closed_ && discarded < kMostLingering) {
    start_read();
    co_await signal_.wait();
    discarded += chunk_.size();
  }
}

}  // namespace chorus::server
