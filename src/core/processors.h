// The processors that this process may use. Any thread.
#pragma once

#include <cstddef>
#include <vector>

namespace chorus {

// The calling thread's affinity mask, and the CPU quota of this process's cgroups (v1 or v2)
// rounded up, whichever is less. At least 1.
std::size_t available_processors();

// The processors of the calling thread's affinity mask, by the kernel's numbers: first one of every
// core, then the cores' second hardware threads, and so on; so the first N of them share as few
// cores as can be. Empty if the system does not say.
std::vector<int> processors_in_mask();

}  // namespace chorus
