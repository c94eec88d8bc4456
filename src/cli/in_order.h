// Many requests at once, their answers in order: what --jsonl, --lines and --csv have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace chorus::cli {

struct Answer {
  std::string text;          // with its line ends
  std::uint64_t tokens = 0;  // generated or scored, for the progress shown
};

struct Work {
  std::function<Answer()> answer;
  // What is written in place of the answer if that throws CommandFailed.
  std::function<std::string(const char* message)> refusal;
};

// Writes the answers of what `next` gives until it gives nothing, in order, each as soon as it and
// those before it are there. Up to `parallel` are made at once, each by a thread of its own; with 1,
// one is made before the next is asked for. `next` is called by the calling thread, and
// may throw. Shows tokens per
// second on a terminal. Throws CommandFailed at the end, with how many failed, if any did, and `where`
// that is told; soon if writing fails.
void answer_in_order(std::size_t parallel, const std::string& where,
                     const std::function<std::optional<Work>()>& next);

}  // namespace chorus::cli
