// A progress bar on standard error for work that is measured in bytes (downloads, loading a model)
// or in tokens (batches of requests). It shows only on a terminal and only once the work has taken
// over half a second, and leaves no trace. It never fails and never touches standard output. One
// thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace chorus::cli {

// What is counted, and how many make one of what is shown.
struct ProgressUnit {
  const char* name;
  double size;
  int digits;  // behind the point, of amounts; a rate has one
};
inline constexpr ProgressUnit kMegabytes = {"MB", 1e6, 1};  // counted in bytes
inline constexpr ProgressUnit kTokens = {"tokens", 1.0, 0};

// One line without a line end, at most `columns` characters wide, for example
//   model.safetensors  42% [########            ] 230.4/548.1 MB  35.2 MB/s
// `total` 0 means unknown: then there is no bar and no percentage. `per_second` 0 leaves the rate
// out.
std::string render_progress(const std::string& label, std::uint64_t done, std::uint64_t total,
                            double per_second, std::size_t columns, ProgressUnit unit = kMegabytes);

// Where a bar is drawn and what tells it the time; replaced in tests.
struct ProgressOutput {
  bool is_terminal = false;
  std::size_t columns = 80;
  std::function<double()> seconds;                // a clock that never goes back
  std::function<void(const std::string&)> write;  // text with control characters

  static ProgressOutput standard_error();
};

class ProgressBar {
 public:
  explicit ProgressBar(std::string label, ProgressOutput output = ProgressOutput::standard_error(),
                       ProgressUnit unit = kMegabytes);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { finish(); }

  // How much is done so far, and in all (0: unknown). Cheap enough to be called for every block.
  void update(std::uint64_t done, std::uint64_t total);
  // Erases what was drawn. Further updates do nothing.
  void finish();

 private:
  std::string label_;
  ProgressOutput output_;
  ProgressUnit unit_;
  double started_;
  double last_drawn_ = -1.0;  // seconds; negative: nothing is drawn
  bool finished_ = false;
  bool has_first_ = false;
  std::uint64_t first_done_ = 0;  // what was there when work began, for the rate
};

}  // namespace chorus::cli
