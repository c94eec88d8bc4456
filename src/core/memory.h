// How much memory this process may take. Any thread.
//
// In every function `root` is for tests, as in cgroup.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace chorus {

// Bytes: what the kernel estimates is available without swapping (MemAvailable), what is left to
// this process's cgroups (v1 or v2), or what its own limits leave (ulimit -v and -d), whichever is
// least; 0 if the system does not say. A moment's figure: other processes take memory, too.
std::uint64_t available_memory(const std::string& root = {});

struct MemoryBound {
  std::uint64_t bytes = 0;  // 0: not known
  const char* of = "";      // whose bound it is: "the machine", "its control group" ...
};

// What this process may have in all: what the machine has, or its cgroups are allowed, swap included, or its
// own limits allow, whichever is least. What takes more than that cannot be. Memory in use is not taken off:
// pages of files give way, and other processes end.
MemoryBound memory_bound(const std::string& root = {});
inline std::uint64_t most_memory(const std::string& root = {}) { return memory_bound(root).bytes; }

// What this process may still map, by its own limits alone, beside what it has mapped already: files, too, if
// it is ulimit -v. Who asks for more is refused by the system, and not ended. Empty: there is no such limit.
std::optional<MemoryBound> mappable_memory(const std::string& root = {});

// "this process may have 512.0 MB (its control group), and has 498.0 MB": for messages.
std::string describe_memory(const std::string& root = {});

// Bytes that are this process's own now, without files; 0 if the system does not say.
std::uint64_t private_memory(const std::string& root = {});

// "497.9 MB".
std::string megabytes_text(std::uint64_t bytes);

}  // namespace chorus
