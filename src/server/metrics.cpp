#include "server/metrics.h"

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "server/process_metrics.h"

namespace chorus::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

const std::vector<double> kGapBuckets = {0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05,
                                         0.075, 0.1,    0.15,  0.2,  0.3,  0.5,  1.0};
const std::vector<double> kFirstTokenBuckets = {0.005, 0.01, 0.025, 0.05, 0.1,  0.25, 0.5,
                                                0.75,  1.0,  2.5,   5.0,  10.0, 30.0};
const std::vector<double> kRequestBuckets = {0.05, 0.1,  0.25, 0.5,  1.0,   2.5,  5.0,
                                             10.0, 20.0, 30.0, 60.0, 120.0, 300.0};

struct EngineMetric {
  const char* name;
  const char* help;
  MetricType type;
  std::function<double(const EngineStats&)> value;
};

const std::vector<EngineMetric>& engine_metrics() {
  auto number = [](auto value) { return static_cast<double>(value); };
  static const std::vector<EngineMetric> all = {
      {"chorus_num_requests_running", "Samples that are being computed", MetricType::Gauge,
       [=](const EngineStats& s) { return number(s.running); }},
      {"chorus_num_requests_waiting", "Samples that wait for their turn", MetricType::Gauge,
       [=](const EngineStats& s) { return number(s.waiting); }},
      {"chorus_kv_cache_usage_perc", "Share of the pages for keys and values in use, 0 to 1",
       MetricType::Gauge, [](const EngineStats& s) { return s.kv_usage; }},
      {"chorus_kv_cache_reserved_perc",
       "The same, with what running samples may still take: at 1 nobody is let in",
       MetricType::Gauge, [](const EngineStats& s) { return s.kv_reserved; }},
      {"chorus_prefix_cache_queries_total", "Prompt tokens looked for in the prefix cache",
       MetricType::Counter, [=](const EngineStats& s) { return number(s.prefix_queries); }},
      {"chorus_prefix_cache_hits_total", "Prompt tokens found in the prefix cache",
       MetricType::Counter, [=](const EngineStats& s) { return number(s.prefix_hits); }},
      {"chorus_prompt_tokens_total", "Prompt tokens read", MetricType::Counter,
       [=](const EngineStats& s) { return number(s.prompt_tokens); }},
      {"chorus_generation_tokens_total", "Tokens generated", MetricType::Counter,
       [=](const EngineStats& s) { return number(s.generated_tokens); }},
      {"chorus_engine_steps_total", "Forward steps of the model", MetricType::Counter,
       [=](const EngineStats& s) { return number(s.steps); }},
  };
  return all;
}

// The engines' own counts, asked for when they are told.
std::vector<MetricFamily> collect_engines(const Models& models) {
  std::vector<std::pair<std::string, EngineStats>> stats;
  std::set<const Engine*> seen;
  for (const ServedModel& model : models.all()) {
    // A model of several names is counted by its first.
    bool is_new = model.engine != nullptr && seen.insert(model.engine.get()).second;
    if (is_new) stats.emplace_back(model.name, model.engine->stats());
  }
  std::vector<MetricFamily> families;
  for (const EngineMetric& one : engine_metrics()) {
    MetricFamily family{one.name, one.help, one.type, {}};
    for (const auto& [model, now] : stats) {
      ClientMetric metric;
      metric.label = {{"model_name", model}};
      metric.gauge.value = one.value(now);
      metric.counter.value = one.value(now);
      family.metric.push_back(std::move(metric));
    }
    families.push_back(std::move(family));
  }
  return families;
}

}  // namespace

struct Metrics::Impl {
  explicit Impl(const Models& served) : models(served) {}

  // A histogram for each model that is served.
  class Times {
   public:
    Times(Impl& impl, const char* name, const char* help, const std::vector<double>& buckets) {
      auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(impl.registry);
      for (const ServedModel& model : impl.models.all()) {
        by_model_[model.name] = &family.Add({{"model_name", model.name}}, buckets);
      }
    }
    void observe(const std::string& model, double seconds) {
      by_model_.at(model)->Observe(seconds);
    }

   private:
    std::map<std::string, prometheus::Histogram*> by_model_;
  };

  const Models& models;
  prometheus::Registry registry;
  Times first_token{*this, "chorus_time_to_first_token_seconds",
                    "From a request's arrival to its first token", kFirstTokenBuckets};
  Times token_gap{*this, "chorus_inter_token_latency_seconds", "Between two tokens of a sample",
                  kGapBuckets};
  Times whole{*this, "chorus_e2e_request_latency_seconds", "From a request's arrival to its end",
              kRequestBuckets};
  Times queue{*this, "chorus_request_queue_time_seconds",
              "From a request's arrival to its first row", kRequestBuckets};
  prometheus::Family<prometheus::Counter>& successes =
      prometheus::BuildCounter()
          .Name("chorus_request_success_total")
          .Help("Samples that ended, by reason: stop, length, cancelled")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& scores =
      prometheus::BuildCounter()
          .Name("chorus_scored_windows_total")
          .Help("Texts that were scored, of long ones each window")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& answers =
      prometheus::BuildCounter()
          .Name("chorus_http_requests_total")
          .Help("HTTP requests by route and status; 499: the client went away")
          .Register(registry);
  // To find a counter by its labels costs the library some 3,000 instructions.
  prometheus::Counter& answers_of(std::string_view route, int status) {
    Lock lock(mutex);
    auto of_route = counters.find(route);
    if (of_route == counters.end()) of_route = counters.try_emplace(std::string(route)).first;
    prometheus::Counter*& counter = of_route->second[status];
    if (counter == nullptr) {
      counter = &answers.Add({{"route", std::string(route)}, {"status", std::to_string(status)}});
    }
    return *counter;
  }
  Mutex mutex;
  std::map<std::string, std::map<int, prometheus::Counter*>, std::less<>> counters
      CHORUS_GUARDED_BY(mutex);

  prometheus::Family<prometheus::Counter>& refused =
      prometheus::BuildCounter()
          .Name("chorus_http_connections_refused_total")
          .Help("Connections that were not served: --max-connections, or their address's share")
          .Register(registry);
  prometheus::Counter& refused_of_all = refused.Add({{"reason", "max_connections"}});
  prometheus::Counter& refused_of_address = refused.Add({{"reason", "address"}});
  prometheus::Counter& put_out = prometheus::BuildCounter()
                                     .Name("chorus_http_connections_put_out_total")
                                     .Help("Idle connections that were closed for new ones")
                                     .Register(registry)
                                     .Add({});
  prometheus::Gauge& connections = prometheus::BuildGauge()
                                       .Name("chorus_http_connections")
                                       .Help("Open connections")
                                       .Register(registry)
                                       .Add({});
};

Metrics::Metrics(const Models& models) : impl_(std::make_unique<Impl>(models)) {}
Metrics::~Metrics() = default;

void Metrics::sample_done(const std::string& model, FinishReason reason, const Usage& usage) {
  impl_->successes.Add({{"model_name", model}, {"finished_reason", finish_reason_name(reason)}})
      .Increment();
  if (reason == FinishReason::kCancelled) return;
  if (usage.generated_tokens > 0) impl_->first_token.observe(model, usage.first_token_seconds);
  impl_->whole.observe(model, usage.seconds);
  impl_->queue.observe(model, usage.queue_seconds);
}

void Metrics::samples_cancelled(const std::string& model, std::int64_t count) {
  if (count == 0) return;
  const char* reason = finish_reason_name(FinishReason::kCancelled);
  impl_->successes.Add({{"model_name", model}, {"finished_reason", reason}})
      .Increment(static_cast<double>(count));
}

void Metrics::scored(const std::string& model) {
  impl_->scores.Add({{"model_name", model}}).Increment();
}

void Metrics::token_gap(const std::string& model, double seconds) {
  impl_->token_gap.observe(model, seconds);
}

void Metrics::answered(std::string_view route, int status) {
  impl_->answers_of(route, status).Increment();
}

void Metrics::connections_changed(int difference) { impl_->connections.Increment(difference); }

void Metrics::connection_refused(bool of_address) {
  (of_address ? impl_->refused_of_address : impl_->refused_of_all).Increment();
}

void Metrics::connection_put_out() { impl_->put_out.Increment(); }

std::string Metrics::text() const {
  std::vector<MetricFamily> families = impl_->registry.Collect();
  for (MetricFamily& family : collect_engines(impl_->models)) families.push_back(std::move(family));
  for (MetricFamily& family : collect_process()) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace chorus::server
