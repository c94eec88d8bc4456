#include "server/http/loop.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <new>
#include <utility>

#include "server/http/connection.h"
#include "server/http/response_head.h"

namespace chorus::server {
namespace {

constexpr std::chrono::milliseconds kTick{50};

// Connections at a tick: to find each costs a look at all of them.
constexpr int kMostPutOut = 256;

}  // namespace

Loop::Loop() { tell_time(); }

Loop::~Loop() {
  stop();
  join();
}

// One that comes when the others have been cut would never be looked after.
void Loop::add(Connection& connection) {
  connections_.insert(&connection);
  if (stopping_) connection.abort("the server stopped");
}

void Loop::start() {
  thread_ = std::thread([this] { run(); });
}

// What one handler finds no memory for ends what it belongs to: a connection, or this tick.
void Loop::run() {
  while (true) {
    try {
      if (!has_tick_ && !is_over()) tick();
      context_.run();
      return;
    } catch (const std::bad_alloc&) {
      context_.restart();  // it stops when the handler was all that there was to do
      if (!has_tick_) std::this_thread::sleep_for(kTick);
    }
  }
}

void Loop::stop() { stopping_ = true; }

void Loop::join() {
  if (thread_.joinable()) thread_.join();
}

// Those that have been idle longest, where new ones were let in for them.
void Loop::put_out_idle() {
  for (int count = 0; count < kMostPutOut && !connections_.empty(); ++count) {
    HttpService& service = (*connections_.begin())->service();
    if (service.to_be_put_out == 0) return;
    Connection* longest = nullptr;
    for (Connection* one : connections_) {
      bool is_longer = longest == nullptr || one->idle_since() < longest->idle_since();
      if (one->is_idle() && is_longer) longest = one;
    }
    if (longest == nullptr || !service.take_one_to_put_out()) return;
    longest->abort("idle, put out for another");
    service.observer.connection_put_out();
  }
}

// The same for addresses that have their share, of which each new one costs one of their own.
void Loop::put_out_idle_of_addresses() {
  if (connections_.empty()) return;
  HttpService& service = (*connections_.begin())->service();
  if (!service.shares_put_out) return;
  auto is_to_go = [](const Connection& one) {
    return one.is_idle() && one.share() != nullptr && one.share()->to_be_put_out > 0;
  };
  std::vector<Connection*> idle;
  for (Connection* one : connections_) {
    if (is_to_go(*one)) idle.push_back(one);
  }
  std::sort(idle.begin(), idle.end(),
            [](Connection* a, Connection* b) { return a->idle_since() < b->idle_since(); });
  for (Connection* one : idle) {
    if (!service.take_one_to_put_out(*one->share())) continue;
    one->abort("idle, put out for another of its address");
    service.observer.connection_put_out();
  }
}

void Loop::tell_time() {
  std::time_t now = std::time(nullptr);
  if (std::exchange(time_, now) != now) date_ = http_date(now);
}

void Loop::tick() {
  has_tick_ = false;
  tell_time();
  auto now = std::chrono::steady_clock::now();
  for (Connection* connection : connections_) {  // which end by themselves, later
    if (stopping_) {
      connection->abort("the server stopped");
    } else {
      connection->tick(now);
    }
  }
  put_out_idle();
  put_out_idle_of_addresses();
  for (const auto& function : at_ticks_) function();
  if (is_over()) return;
  ticker_.expires_after(kTick);
  ticker_.async_wait([this](boost::system::error_code) { tick(); });
  has_tick_ = true;
}

}  // namespace chorus::server
