// One I/O thread: an event loop, its connections, and a clock that looks after their deadlines.
//
// Thread contract: start(), stop() and join() from one thread; executor() from any; all else on the
// loop's own thread.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <ctime>
#include <functional>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

namespace chorus::server {

class Connection;

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // For start() alone: what is to be done at every tick of the clock, 20 times a second.
  void at_ticks(std::function<void()> function) { at_ticks_.push_back(std::move(function)); }
  void start();
  // Cuts every connection; the thread ends when they are gone. Any thread.
  void stop();
  void join();

  boost::asio::io_context& context() { return context_; }
  void add(Connection& connection);
  void remove(Connection& connection) { connections_.erase(&connection); }
  // The time as HTTP writes it, at most a second old.
  const std::string& date() const { return date_; }

 private:
  void run();
  void tick();
  void tell_time();
  void put_out_idle();
  void put_out_idle_of_addresses();
  bool is_over() const { return stopping_ && connections_.empty(); }

  boost::asio::io_context context_{1};
  boost::asio::steady_timer ticker_{context_};
  std::unordered_set<Connection*> connections_;
  std::vector<std::function<void()>> at_ticks_;
  bool has_tick_ = false;  // the next one will come
  std::time_t time_ = 0;   // of date_
  std::string date_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace chorus::server
