#include "core/memory_claim.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <memory>

#include "core/mutex.h"

namespace chorus {
namespace {

struct Claims {
  const pid_t process = ::getpid();
  Mutex mutex;
  std::uint64_t next CHORUS_GUARDED_BY(mutex) = 1;
  std::map<std::uint64_t, std::vector<MemoryPart>> parts CHORUS_GUARDED_BY(mutex);

  std::vector<MemoryPart> all() const CHORUS_REQUIRES(mutex) {
    std::vector<MemoryPart> result;
    for (const auto& [id, claimed] : parts) {
      result.insert(result.end(), claimed.begin(), claimed.end());
    }
    return result;
  }
};

// Of the process, as memory is. Never destroyed: claims may be given back while the process ends. A forked
// child has its own: another thread may have held the parent's lock at that moment.
Claims& claims() {
  static std::atomic<Claims*> current = nullptr;
  Claims* found = current.load();
  while (found == nullptr || found->process != ::getpid()) {
    auto made = std::make_unique<Claims>();
    if (current.compare_exchange_strong(found, made.get())) found = made.release();
  }
  return *found;
}

}  // namespace

std::uint64_t sum_of(const std::vector<MemoryPart>& parts) {
  std::uint64_t sum = 0;
  for (const MemoryPart& part : parts)
    sum = part.bytes > UINT64_MAX - sum ? UINT64_MAX : sum + part.bytes;
  return sum;
}

// The system would end the program without a word, perhaps others too.
Result<void> check_memory(const std::vector<MemoryPart>& parts, const MemoryBound& bound) {
  std::vector<MemoryPart> asked;
  for (const MemoryPart& part : parts) {
    if (!part.is_default && part.bytes > 0) asked.push_back(part);
  }
  std::uint64_t sum = sum_of(asked);
  if (bound.bytes == 0 || sum <= bound.bytes) return ok();
  std::string list;
  for (const MemoryPart& part : asked) {
    list += fmt::format("{}{} {}{}", list.empty() ? "" : ", ", part.what,
                        list.empty() ? "need " : "", megabytes_text(part.bytes));
  }
  if (asked.size() > 1) list += fmt::format(", together {}", megabytes_text(sum));
  return Error{ErrorCode::kOutOfMemory,
               fmt::format("not enough memory: {}; this process may have {} at most ({})", list,
                           megabytes_text(bound.bytes), bound.of)};
}

Result<MemoryClaim> MemoryClaim::make(std::vector<MemoryPart> parts, const MemoryBound& bound) {
  Claims& here = claims();
  Lock lock(here.mutex);
  std::vector<MemoryPart> together = here.all();
  together.insert(together.end(), parts.begin(), parts.end());
  CHORUS_TRY(check_memory(together, bound));
  MemoryClaim claim;
  here.parts.emplace(here.next, std::move(parts));
  claim.id_ = here.next++;
  claim.process_ = here.process;
  return claim;
}

void MemoryClaim::add(MemoryPart part) {
  Claims& here = claims();
  if (id_ == 0 || process_ != here.process) return;
  Lock lock(here.mutex);
  here.parts[id_].push_back(std::move(part));
}

// In a forked child the parent's claims are none.
void MemoryClaim::give_back() noexcept {
  if (id_ == 0 || process_ != ::getpid()) return;
  Claims& here = claims();
  Lock lock(here.mutex);
  here.parts.erase(id_);
}

std::vector<MemoryPart> claimed_memory() {
  Claims& here = claims();
  Lock lock(here.mutex);
  return here.all();
}

}  // namespace chorus
