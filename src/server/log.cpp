#include "server/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iterator>
#include <thread>

#include "core/utf8.h"
#include "json/text.h"

namespace chorus::server {
namespace {

constexpr std::size_t kWaitingLines = 8192;

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// What clients sent may stand in it.
std::string shortened(const std::string& message) {
  constexpr std::size_t kLongest = 300;
  if (message.size() <= kLongest) return replace_ill_formed(message);
  return replace_ill_formed(message.substr(0, kLongest)) + "...";
}

std::string access_json(const AnswerRecord& record) {
  std::string text = fmt::format(
      R"("request_id":{},"peer":{},"client":{},"method":{},"route":{},"status":{},"bytes":{},)"
      R"("seconds":{:.6f})",
      json_string(record.id), json_string(record.peer), json_string(record.client),
      json_string(record.method), json_string(record.route), record.status, record.bytes,
      record.seconds);
  auto back = std::back_inserter(text);
  if (!record.target.empty()) fmt::format_to(back, R"(,"target":{})", json_string(record.target));
  if (!record.model.empty()) {
    fmt::format_to(back, R"(,"model":{},"prompt_tokens":{},"generated_tokens":{})",
                   json_string(record.model), record.prompt_tokens, record.generated_tokens);
  }
  if (!record.outcome.empty()) {
    fmt::format_to(back, R"(,"outcome":{})", json_string(record.outcome));
  }
  const AnswerError& error = record.error;
  if (!error.message.empty()) {
    auto or_null = [](const std::string& word) {
      return word.empty() ? "null" : json_string(word);
    };
    fmt::format_to(back, R"(,"error":{{"param":{},"code":{},"message":{}}})", or_null(error.field),
                   or_null(error.code), json_string(shortened(error.message)));
  }
  return text;
}

std::string access_text(const AnswerRecord& record) {
  std::string text =
      fmt::format("{} {} {} {} {} bytes {:.3f} s {}", record.peer, record.method, record.route,
                  record.status, record.bytes, record.seconds, record.id);
  auto back = std::back_inserter(text);
  if (!record.model.empty()) {
    fmt::format_to(back, " model {} prompt {} generated {}", json_string(record.model),
                   record.prompt_tokens, record.generated_tokens);
  }
  if (!record.target.empty()) fmt::format_to(back, " target {}", json_string(record.target));
  if (!record.outcome.empty()) fmt::format_to(back, " ({})", record.outcome);
  if (!record.peer.starts_with(record.client)) fmt::format_to(back, " client {}", record.client);
  const AnswerError& error = record.error;
  if (!error.field.empty()) fmt::format_to(back, " field {}", json_string(error.field));
  if (!error.code.empty()) fmt::format_to(back, " code {}", error.code);
  if (!error.message.empty()) {
    fmt::format_to(back, " message {}", json_string(shortened(error.message)));
  }
  return text;
}

}  // namespace

std::string json_log_lines(LogLevel level, std::string_view message) {
  auto now =
      std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  auto milliseconds = now.time_since_epoch().count() % 1000;
  spdlog::string_view_t word = spdlog::level::to_string_view(to_spdlog(level));
  std::string lines;
  while (!message.empty()) {
    std::string_view line = message.substr(0, message.find('\n'));
    message.remove_prefix(std::min(message.size(), line.size() + 1));
    fmt::format_to(std::back_inserter(lines),
                   R"({{"time":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z","level":"{}","message":{}}})"
                   "\n",
                   fmt::gmtime(seconds), milliseconds, std::string_view(word.data(), word.size()),
                   json_string(line));
  }
  return lines;
}

struct Log::Impl {
  std::shared_ptr<spdlog::details::thread_pool> writer;
  std::shared_ptr<spdlog::async_logger> logger;
  bool as_json = false;
};

Log::Log(const std::string& level, bool as_json) : impl_(std::make_unique<Impl>()) {
  impl_->as_json = as_json;
  impl_->writer = std::make_shared<spdlog::details::thread_pool>(kWaitingLines, 1);
  impl_->logger = std::make_shared<spdlog::async_logger>(
      "chorus", std::make_shared<spdlog::sinks::stderr_sink_mt>(), impl_->writer,
      spdlog::async_overflow_policy::overrun_oldest);
  impl_->logger->set_level(spdlog::level::from_str(level));
  impl_->logger->set_error_handler([](const std::string&) {});  // there is no place to say it
  // A JSON line's message is its fields from the second on.
  impl_->logger->set_pattern(as_json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})"
                                     : "%Y-%m-%d %H:%M:%S.%e %l %v",
                             spdlog::pattern_time_type::utc);
}

Log::~Log() = default;

void Log::write(LogLevel level, std::string_view message) {
  auto at = to_spdlog(level);
  if (!impl_->logger->should_log(at)) return;
  std::string text = impl_->as_json ? "\"message\":" + json_string(message) : std::string(message);
  impl_->logger->log(at, spdlog::string_view_t(text.data(), text.size()));
}

void Log::settle(std::chrono::milliseconds most) {
  constexpr std::chrono::milliseconds kPoll{5};
  auto deadline = std::chrono::steady_clock::now() + most;
  while (impl_->writer->queue_size() > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kPoll);
  }
  std::this_thread::sleep_for(kPoll);  // for the line that was taken from the queue
}

void Log::access(const AnswerRecord& record) {
  auto at = record.is_quiet ? spdlog::level::debug : spdlog::level::info;
  if (!impl_->logger->should_log(at)) return;
  std::string text = impl_->as_json ? access_json(record) : access_text(record);
  impl_->logger->log(at, spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace chorus::server
