// What GET /metrics tells, by prometheus-cpp: vLLM's names with the prefix chorus_, the counts of
// HTTP answers, and what Prometheus's own clients tell of their process (process_metrics.h).
//
// Thread contract: any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "chorus/request.h"
#include "server/api/models.h"

namespace chorus::server {

class Metrics {
 public:
  explicit Metrics(const Models& models);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // A sample ended.
  void sample_done(const std::string& model, FinishReason reason, const Usage& usage);
  void samples_cancelled(const std::string& model,
                         std::int64_t count);  // not told of by sample_done
  // A text, or a window of one, was scored: it generates nothing, and is none of the samples.
  void scored(const std::string& model);
  // The time between two tokens of a sample.
  void token_gap(const std::string& model, double seconds);
  // A request was answered, or given up (status 499, as nginx counts them).
  void answered(std::string_view route, int status);
  void connections_changed(int difference);
  void connection_refused(bool of_address);
  void connection_put_out();

  // Prometheus's text format 0.0.4.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace chorus::server
