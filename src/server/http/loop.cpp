#include "server/http/loop.h"

#include <chrono>
#include <ctime>
#include <vector>

#include "server/http/connection.h"
#include "server/http/response_head.h"

namespace chorus::server {
namespace {

constexpr std::chrono::milliseconds kTick{50};

}  // namespace

Loop::Loop() : date_(http_date(std::time(nullptr))) {}

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
  thread_ = std::thread([this] {
    tick();
    context_.run();
  });
}

void Loop::stop() { stopping_ = true; }

void Loop::join() {
  if (thread_.joinable()) thread_.join();
}

void Loop::tick() {
  date_ = http_date(std::time(nullptr));
  auto now = std::chrono::steady_clock::now();
  for (Connection* connection : std::vector(connections_.begin(), connections_.end())) {
    if (stopping_) {
      connection->abort("the server stopped");
    } else {
      connection->tick(now);
    }
  }
  if (stopping_ && connections_.empty()) return;
  ticker_.expires_after(kTick);
  ticker_.async_wait([this](boost::system::error_code) { tick(); });
}

}  // namespace chorus::server
