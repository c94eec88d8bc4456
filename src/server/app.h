// What the routes share: the models, and what else requests are answered with.
//
// Thread contract: any thread; the options and files are immutable.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/api/api_keys.h"
#include "server/api/machine_limits.h"
#include "server/api/models.h"
#include "server/api/open_choices.h"
#include "server/http/static_files.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/options.h"

namespace chorus::server {

struct App {
  App(ServerOptions given, std::vector<std::string> model_names, StaticFiles static_files,
      StaticFiles its_ui_files, std::shared_ptr<Log> its_log)
      : options(std::move(given)),
        files(std::move(static_files)),
        ui_files(std::move(its_ui_files)),
        models(std::move(model_names)),
        metrics(models),
        shared_log(std::move(its_log)),
        log(*shared_log),
        keys(options.api_keys) {}

  const ServerOptions options;
  const StaticFiles files;
  const StaticFiles ui_files;  // of --ui-dir
  Models models;
  Metrics metrics;
  const std::shared_ptr<Log> shared_log;
  Log& log;
  ApiKeys keys;
  OpenChoices open_choices;
  MachineLimits machine_limits;

  boost::asio::thread_pool workers{1};  // for what would hold up a loop, such as long tokenizations
};

}  // namespace chorus::server
