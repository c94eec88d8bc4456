// What the connections tell, written to the log and counted by the metrics.
//
// Thread contract: any thread.
#pragma once

#include <string_view>

#include "server/http/http_observer.h"
#include "server/log.h"
#include "server/metrics.h"

namespace chorus::server {

class LoggingObserver : public HttpObserver {
 public:
  LoggingObserver(Log& log, Metrics& metrics) : log_(log), metrics_(metrics) {}

  void connections_changed(int difference) override;
  void connection_refused(bool of_address) override;
  void connection_put_out() override;
  void answered(const AnswerRecord& record) override;
  void warn(std::string_view message) override;

 private:
  Log& log_;
  Metrics& metrics_;
};

}  // namespace chorus::server
