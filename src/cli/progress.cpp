#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

namespace chorus::cli {
namespace {

constexpr double kShowAfterSeconds = 0.5;
constexpr double kRedrawSeconds = 0.1;
constexpr std::size_t kWidestBar = 30;
constexpr std::size_t kNarrowestBar = 5;
constexpr const char* kEraseLine = "\r\x1b[K";

std::string amount(std::uint64_t count, ProgressUnit unit) {
  return fmt::format("{:.{}f}", static_cast<double>(count) / unit.size, unit.digits);
}

std::string bar(double share, std::size_t width) {
  auto filled = std::min(width, static_cast<std::size_t>(share * static_cast<double>(width)));
  return fmt::format("[{:<{}}]", std::string(filled, '#'), width);
}

double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::size_t terminal_columns() {
  struct winsize size {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

std::string render_progress(const std::string& label, std::uint64_t done, std::uint64_t total,
                            double per_second, std::size_t columns, ProgressUnit unit) {
  done = total == 0 ? done : std::min(done, total);
  double share = total == 0 ? 0.0 : static_cast<double>(done) / static_cast<double>(total);
  std::string before = label;
  std::string after =
      total == 0 ? fmt::format("  {} {}", amount(done, unit), unit.name)
                 : fmt::format(" {}/{} {}", amount(done, unit), amount(total, unit), unit.name);
  if (total != 0) before += fmt::format(" {:3d}%", static_cast<int>(share * 100.0));
  if (per_second > 0.0) after += fmt::format("  {:.1f} {}/s", per_second / unit.size, unit.name);

  std::string line = before + after;
  std::size_t frame = line.size() + 3;  // a space and two brackets
  if (total != 0 && frame + kNarrowestBar <= columns) {
    line = fmt::format("{} {}{}", before, bar(share, std::min(kWidestBar, columns - frame)), after);
  }
  return line.substr(0, columns);
}

ProgressOutput ProgressOutput::standard_error() {
  ProgressOutput output;
  output.is_terminal = ::isatty(STDERR_FILENO) == 1;
  output.columns = output.is_terminal ? terminal_columns() - 1 : 0;  // the last column may wrap
  output.seconds = monotonic_seconds;
  output.write = [](const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
  };
  return output;
}

ProgressBar::ProgressBar(std::string label, ProgressOutput output, ProgressUnit unit)
    : label_(std::move(label)),
      output_(std::move(output)),
      unit_(unit),
      started_(output_.seconds()) {}

void ProgressBar::update(std::uint64_t done, std::uint64_t total) {
  if (finished_ || !output_.is_terminal) return;
  if (!has_first_ || done < first_done_) first_done_ = done;  // less than before: begun anew
  has_first_ = true;
  double now = output_.seconds();
  double elapsed = now - started_;
  if (elapsed < kShowAfterSeconds) return;
  if (last_drawn_ >= 0.0 && now - last_drawn_ < kRedrawSeconds) return;
  last_drawn_ = now;
  double rate = static_cast<double>(done - first_done_) / elapsed;
  output_.write(kEraseLine + render_progress(label_, done, total, rate, output_.columns, unit_));
}

void ProgressBar::finish() {
  if (!finished_ && last_drawn_ >= 0.0) output_.write(kEraseLine);
  finished_ = true;
}

}  // namespace chorus::cli
