// What parts of this process have said that they will hold: weights, keys and values, buffers. Several models in
// one process know nothing of each other, and each alone may fit where all together do not. It says
// nothing of what is allotted, and allots nothing.
//
// Thread contract: claims are made and given back on any thread; each is one owner's.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "chorus/error.h"
#include "core/memory.h"

namespace chorus {

struct MemoryPart {
  std::string what;  // "the weights of gpt2.pt as f32"
  std::uint64_t bytes;
  // A bound that nobody asked for, and that may never be reached: it is not a reason to refuse others.
  bool is_default = false;
};

// kOutOfMemory, with each part, if they are more than `bound` together, if that is known.
Result<void> check_memory(const std::vector<MemoryPart>& parts, const MemoryBound& bound);

// All parts' bytes, those of defaults included.
std::uint64_t sum_of(const std::vector<MemoryPart>& parts);

class MemoryClaim {
 public:
  MemoryClaim() = default;
  // Errors: kOutOfMemory, if it is too much together with what this process has claimed already.
  static Result<MemoryClaim> make(std::vector<MemoryPart> parts,
                                  const MemoryBound& bound = memory_bound());
  ~MemoryClaim() { give_back(); }
  MemoryClaim(MemoryClaim&& other) noexcept
      : id_(std::exchange(other.id_, 0)), process_(other.process_) {}
  MemoryClaim& operator=(MemoryClaim&& other) noexcept {
    if (this != &other) {
      give_back();
      id_ = std::exchange(other.id_, 0);
      process_ = other.process_;
    }
    return *this;
  }

  // One part more, whatever there is.
  void add(MemoryPart part);

 private:
  void give_back() noexcept;

  std::uint64_t id_ = 0;  // 0: nothing
  pid_t process_ = 0;     // which made it
};

// The parts of all claims of this process.
std::vector<MemoryPart> claimed_memory();

}  // namespace chorus
