#include "server/observer.h"

#include <string>

namespace chorus::server {

void LoggingObserver::connections_changed(int difference) {
  metrics_.connections_changed(difference);
}

void LoggingObserver::answered(const AnswerRecord& record) {
  metrics_.answered(std::string(record.route), record.status);
  log_.access(record);
}

void LoggingObserver::warn(std::string_view message) { log_.write(LogLevel::kWarning, message); }

}  // namespace chorus::server
