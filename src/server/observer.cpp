#include "server/observer.h"

#include <new>
#include <string>

namespace chorus::server {

void LoggingObserver::connections_changed(int difference) {
  metrics_.connections_changed(difference);
}

void LoggingObserver::connection_refused(bool of_address) {
  metrics_.connection_refused(of_address);
}

void LoggingObserver::connection_put_out() { metrics_.connection_put_out(); }

void LoggingObserver::answered(const AnswerRecord& record) {
  try {
    metrics_.answered(record.route, record.status);
    log_.access(record);
  } catch (const std::bad_alloc&) {  // a line is less than the request
  }
}

void LoggingObserver::warn(std::string_view message) {
  try {
    log_.write(LogLevel::kWarning, message);
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace chorus::server
