#include "server/http/connection.h"

#include <exception>
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

}  // namespace

Connection::Connection(HttpService& service, Loop& loop, std::unique_ptr<Transport> transport,
                       std::string peer, bool admitted)
    : service_(service),
      loop_(loop),
      admitted_(admitted),
      transport_(std::move(transport)),
      peer_(std::move(peer)),
      signal_(loop.context().get_executor()),
      reader_({service.options.max_header, service.options.max_body}),
      held_(service.buffers) {
  loop_.add(*this);
  ++(admitted_ ? service_.connections : service_.turned_away);
  if (admitted_) service_.observer.connections_changed(1);
}

Connection::~Connection() {
  loop_.remove(*this);
  --(admitted_ ? service_.connections : service_.turned_away);
  if (admitted_) service_.observer.connections_changed(-1);
}

void Connection::enter(Phase phase, std::chrono::milliseconds time) {
  phase_ = phase;
  deadline_ = Clock::now() + time;
  expired_ = false;
  is_last_wait_ = false;
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
  abort_reason_ = reason;
  transport_->close();
  signal_.raise();
}

void Connection::start_read() {
  if (reading_ || at_end_ || closed_) return;
  reading_ = true;
  transport_->read_some(asio::buffer(chunk_), [this](std::size_t count) {
    reading_ = false;
    at_end_ = count == 0;
    if (phase_ != Phase::kEnd) input_.append({chunk_.data(), count});
    if (at_end_ && phase_ == Phase::kAnswer) abort("client went away");
    signal_.raise();
  });
}

asio::awaitable<bool> Connection::read_more() {
  std::size_t before = input_.size();
  start_read();
  while (input_.size() == before && !at_end_ && !closed_ && !expired_) co_await signal_.wait();
  co_return input_.size() > before;
}

// False: the clients' bytes are more than may be held together.
bool Connection::hold_input() { return held_.resize(input_.memory() + reader_.body_bytes()); }

asio::awaitable<void> Connection::wait() {
  // Who does not read cannot see the client go away.
  if (input_.size() > service_.options.max_header + service_.options.max_body) {
    abort("too much sent ahead");
  } else if (!hold_input()) {
    abort("no buffers for what was sent ahead");
  } else {
    start_read();
  }
  co_await signal_.wait();
}

asio::awaitable<bool> Connection::send(std::string_view data) {
  while (!data.empty() && !closed_) {
    write_deadline_ = Clock::now() + service_.options.idle_timeout;
    writing_ = true;
    std::size_t count = co_await transport_->write_some(asio::buffer(data.data(), data.size()));
    writing_ = false;
    if (count == 0) abort("client went away");
    data.remove_prefix(count);
  }
  co_return !closed_;
}

asio::awaitable<void> Connection::run() {
  enter(Phase::kHandshake, service_.options.header_timeout);
  try {
    co_await serve_all();
  } catch (const std::exception& error) {  // out of memory, most of all
    service_.observer.warn(std::string("a connection failed: ") + error.what());
  }
  co_await finish();
}

asio::awaitable<void> Connection::serve_all() {
  bool goes_on = co_await transport_->handshake();
  if (goes_on && !admitted_) {
    co_await refuse(HttpError(503, "too many connections", "connections"));
    co_return;
  }
  while (goes_on) goes_on = co_await serve_one();
}

asio::awaitable<bool> Connection::serve_one() {
  reader_.reset();
  enter(Phase::kIdle,
        has_served_ ? service_.options.keep_alive_timeout : service_.options.idle_timeout);
  has_served_ = true;
  bool has_request = co_await read_request();
  if (!has_request) co_return false;
  bool goes_on = co_await answer();
  co_return goes_on;
}

asio::awaitable<bool> Connection::read_request() {
  bool has_head = false;
  while (true) {
    HttpResult<std::size_t> used = reader_.put(input_.unused());
    if (!used) {
      co_await refuse(used.assume_error());
      co_return false;
    }
    input_.consume(used.assume_value());
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

asio::awaitable<bool> Connection::answer() {
  enter(Phase::kAnswer, service_.options.request_timeout);
  ++service_.running;
  Exchange exchange(*this, reader_.request());
  std::exception_ptr failure;
  try {
    co_await service_.handler.answer(exchange);
  } catch (...) {
    failure = std::current_exception();
  }
  --service_.running;
  exchange.report();
  if (failure) std::rethrow_exception(failure);
  co_return exchange.keeps_alive() && !closed_;
}

// For what is no request: there is nothing to route.
asio::awaitable<void> Connection::refuse(const HttpError& error) {
  enter(Phase::kAnswer, service_.options.idle_timeout);
  lingers_ = true;
  Exchange exchange(*this, reader_.request());
  exchange.close_after();
  co_await service_.handler.refuse(exchange, error);
  exchange.report();
}

// Closing with unread input would reset the connection, and the client might never see the answer.
asio::awaitable<void> Connection::finish() {
  enter(Phase::kEnd, kLingerTime);
  if (!closed_) co_await transport_->shutdown();
  std::size_t discarded = 0;
  while (lingers_ && !at_end_ && !closed_ && discarded < kMostLingering) {
    start_read();
    co_await signal_.wait();
    discarded += chunk_.size();
  }
  closed_ = true;
  transport_->close();
  while (reading_) co_await signal_.wait();
}

}  // namespace chorus::server
