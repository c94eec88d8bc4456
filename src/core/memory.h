// How much memory this process may take. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace chorus {

// Bytes: what the kernel estimates is available without swapping (MemAvailable), or what is left to
// this process's cgroups (v1 or v2), whichever is less; 0 if the system does not say. A moment's
// figure: other processes take memory, too. `root` is for tests, as in cgroup.h.
std::uint64_t available_memory(const std::string& root = {});

// Bytes: what the machine has, or this process's cgroups are allowed, whichever is less, and all swap: what
// takes more than that cannot be. 0 if the system does not say.
std::uint64_t most_memory(const std::string& root = {});

}  // namespace chorus
