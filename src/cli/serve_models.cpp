#include "cli/serve_models.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "cli/commands.h"
#include "cli/engine_options.h"

namespace chorus::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLineEvery{10};

// How far something has come, as lines of the log. One thread at a time.
class ProgressLines {
 public:
  ProgressLines(server::Log& log, std::string model) : log_(log), model_(std::move(model)) {}

  // `what` is being done, a phrase.
  void update(const std::string& what, std::uint64_t done, std::uint64_t total) {
    auto now = Clock::now();
    if (what != what_) {
      what_ = what;
      begun_ = last_ = now;
      first_ = done;
    }
    if (now - last_ < kLineEvery) return;
    last_ = now;
    double seconds = std::chrono::duration<double>(now - begun_).count();
    auto megabytes = [](std::uint64_t bytes) { return static_cast<double>(bytes) * 1e-6; };
    std::string amount =
        total == 0 ? fmt::format("{:.1f} MB", megabytes(done))
                   : fmt::format("{:.1f} of {:.1f} MB", megabytes(done), megabytes(total));
    log_.write(server::LogLevel::kInfo,
               fmt::format("model {}: {}: {} after {:.0f} s ({:.2f} MB/s)", model_, what, amount,
                           seconds, megabytes(done - std::min(done, first_)) / seconds));
  }

 private:
  server::Log& log_;
  std::string model_, what_;
  Clock::time_point begun_, last_;
  std::uint64_t first_ = 0;
};

Result<std::unique_ptr<Engine>> load(const ModelOptions& options, const std::string& name,
                                     bool has_bars, server::Log& log) {
  try {
    if (!options.model.empty()) {
      log.write(server::LogLevel::kInfo, fmt::format("model {}: loading {}", name, options.model));
    }
    if (has_bars) return std::move(load_engine(options).engine);
    ProgressLines lines(log, name);
    LoadProgress progress = {
        [&lines](const std::string& file, std::uint64_t done, std::uint64_t total) {
          lines.update("fetching " + file, done, total);
        },
        [&lines](std::uint64_t done, std::uint64_t total) {
          lines.update("loading", done, total);
        }};
    return std::move(load_engine(options, &progress).engine);
  } catch (const CommandFailed& error) {
    return Error{ErrorCode::kNotFound, error.what()};
  }
}

}  // namespace

std::optional<std::size_t> same_before(const std::vector<NamedModel>& models, std::size_t i) {
  for (std::size_t j = 0; j < i; ++j) {
    std::error_code ignored;
    if (models[j].path == models[i].path) return j;
    if (std::filesystem::equivalent(models[j].path, models[i].path, ignored)) return j;
  }
  return std::nullopt;
}

std::vector<server::ModelSource> model_sources(const ServeOptions& options,
                                               std::shared_ptr<server::Log> log) {
  bool has_bars = !options.server.log_json && ::isatty(STDERR_FILENO) == 1;
  std::size_t engines = 0;
  for (std::size_t i = 0; i < options.models.size(); ++i) {
    if (!same_before(options.models, i)) ++engines;
  }
  std::vector<server::ModelSource> result;
  for (std::size_t i = 0; i < options.models.size(); ++i) {
    const NamedModel& named = options.models[i];
    if (auto other = same_before(options.models, i)) {
      result.push_back({.name = named.name, .load = {}, .same_as = other});
      continue;
    }
    ModelOptions model = options.engine;
    model.model = named.path;
    model.kv_memory /= engines;
    result.push_back({.name = named.name, .load = [model, name = named.name, has_bars, log] {
                        return load(model, name, has_bars, *log);
                      }});
  }
  return result;
}

}  // namespace chorus::cli
