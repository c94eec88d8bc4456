// Runs the program `chorus` as a user does and gives back what it wrote. Files stand between the
// two processes, so no amount of input or output can block; it is not for tests of timing.
#pragma once

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace chorus::test {

struct RunOptions {
  std::string input = {};                                             // standard input
  std::string input_file = {};                                        // what is open there instead
  std::vector<std::pair<std::string, std::string>> environment = {};  // set beside the test's own
  std::string output_file = {};  // where standard output goes instead of to RunResult::out
};

struct RunResult {
  int exit_code;  // 128 + the signal's number if a signal ended it
  std::string out;
  std::string err;
};

namespace detail {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

inline File temporary_file() {
  std::FILE* file = std::tmpfile();
  if (file == nullptr) throw std::system_error(errno, std::generic_category(), "tmpfile");
  return File(file, std::fclose);
}

inline File open_for_reading(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (file == nullptr) throw std::system_error(errno, std::generic_category(), path);
  return File(file, std::fclose);
}

inline File open_for_writing(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) throw std::system_error(errno, std::generic_category(), path);
  return File(file, std::fclose);
}

inline std::string contents(std::FILE* file) {
  std::string text;
  char buffer[4096];
  std::rewind(file);
  while (std::size_t count = std::fread(buffer, 1, sizeof buffer, file)) text.append(buffer, count);
  return text;
}

// The child's half: never returns.
[[noreturn]] inline void become(const std::vector<std::string>& command, const RunOptions& options,
                                int in, int out, int err) {
  dup2(in, 0);
  dup2(out, 1);
  dup2(err, 2);
  for (const auto& [name, value] : options.environment) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  std::perror(arguments[0]);
  _exit(127);
}

}  // namespace detail

// chorus ARGUMENTS..., until it ends: 127 if there is no such program. Throws std::system_error if
// the system refuses a file or a process.
inline RunResult run_chorus(const std::vector<std::string>& arguments,
                            const RunOptions& options = {}) {
  detail::File in = options.input_file.empty() ? detail::temporary_file()
                                               : detail::open_for_reading(options.input_file);
  detail::File out = options.output_file.empty() ? detail::temporary_file()
                                                 : detail::open_for_writing(options.output_file);
  detail::File err = detail::temporary_file();
  if (options.input_file.empty()) {
    std::fwrite(options.input.data(), 1, options.input.size(), in.get());
    std::rewind(in.get());
  }

  std::vector<std::string> command{CHORUS_BINARY};
  command.insert(command.end(), arguments.begin(), arguments.end());
  pid_t child = fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    detail::become(command, options, fileno(in.get()), fileno(out.get()), fileno(err.get()));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  int exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return {exit_code, detail::contents(out.get()), detail::contents(err.get())};
}

}  // namespace chorus::test
