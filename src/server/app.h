// What all connections share.
//
// Thread contract: any thread; the options and files are immutable.
#pragma once

#include <atomic>
#include <boost/asio/thread_pool.hpp>
#include <string>
#include <utility>
#include <vector>

#include "server/api/api_keys.h"
#include "server/api/models.h"
#include "server/http/static_files.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/options.h"

namespace chorus::server {

struct App {
  App(ServerOptions given, std::vector<std::string> model_names, StaticFiles static_files)
      : options(std::move(given)),
        files(std::move(static_files)),
        models(std::move(model_names)),
        metrics(models),
        log(options.log_level, options.log_json),
        keys(options.api_keys) {}

  const ServerOptions options;
  const StaticFiles files;
  Models models;
  Metrics metrics;
  Log log;
  const ApiKeys keys;

  std::atomic<bool> draining{false};        // no new work
  std::atomic<std::int64_t> running{0};     // requests that are being answered
  std::atomic<std::size_t> connections{0};  // served; those that are turned away come on top
  std::atomic<std::size_t> turned_away{0};
  boost::asio::thread_pool workers{1};  // for what would hold up a loop, such as long tokenizations
};

}  // namespace chorus::server
