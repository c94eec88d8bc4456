#include "server/api/machine_limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <span>

#include "engine/internals.h"
#include "json/text.h"

namespace chorus::server {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSeconds = 0.06;  // of passes, for each of two figures
constexpr std::chrono::seconds kAgainAfter{60};

bool is_idle(const std::vector<ServedModel>& served) {
  return std::all_of(served.begin(), served.end(), [](const ServedModel& model) {
    if (model.engine == nullptr) return true;
    EngineStats stats = model.engine->stats();
    return stats.running == 0 && stats.waiting == 0;
  });
}

std::optional<limits::TeamLimits> measure_once(Engine& engine,
                                               const std::vector<ServedModel>& served) {
  auto run = [&](const std::function<void(ThreadTeam::Member&)>& work) -> std::optional<double> {
    if (!is_idle(served)) return std::nullopt;
    return EngineInternals::run_when_idle(engine, work);
  };
  const ModelInfo& info = engine.info();
  return limits::measure_team(run, info.instructions, info.dtype,
                              EngineInternals::step_weights(engine), kSeconds);
}

std::size_t bytes_of(std::span<const std::span<const std::byte>> memory) {
  std::size_t bytes = 0;
  for (std::span<const std::byte> part : memory) bytes += part.size();
  return bytes;
}

}  // namespace

std::optional<limits::TeamLimits> MachineLimits::measure(const ServedModel& model,
                                                         const std::vector<ServedModel>& served) {
  Lock lock(mutex_);
  Known& known = known_[model.engine.get()];
  if (known.best && Clock::now() < known.next) return known.best;
  if (auto found = measure_once(*model.engine, served)) {
    known.next = Clock::now() + kAgainAfter;
    if (!known.best) known.best = found;
    known.best->reads = std::max(known.best->reads, found->reads);
    known.best->operations = std::max(known.best->operations, found->operations);
  }
  return known.best;
}

std::string limits_json(const ServedModel& model, const std::optional<limits::TeamLimits>& limits) {
  const Engine& engine = *model.engine;
  const ModelInfo& info = engine.info();
  auto bytes = static_cast<double>(bytes_of(EngineInternals::step_weights(engine)));
  auto operations = 2.0 * static_cast<double>(EngineInternals::step_products(engine));
  auto number = [&](double value) { return limits ? fmt::format("{:.6g}", value) : "null"; };
  limits::TeamLimits known = limits.value_or(limits::TeamLimits{});
  return fmt::format(
      R"({{"object":"limits","model":{},"dtype":"{}","threads":{},"instructions":"{}","bytes_per_step":{},)"
      R"("operations_per_token":{},"bytes_per_second":{},"operations_per_second":{},)"
      R"("tokens_per_second_each":{},"tokens_per_second":{}}})",
      json_string(model.name), number_format_name(info.dtype), info.threads, info.instructions,
      bytes, operations, number(known.reads * bytes), number(known.operations), number(known.reads),
      number(known.operations / operations));
}

}  // namespace chorus::server
