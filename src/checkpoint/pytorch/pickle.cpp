#include "checkpoint/pytorch/pickle.h"

#include "checkpoint/pytorch/pickle_reader.h"

namespace chorus::checkpoint {

Result<Pickle> Pickle::read(std::span<const std::byte> bytes, ResolveGlobal resolve) {
  return PickleReader(bytes, resolve).run();
}

PickleRef Pickle::find(PickleRef dict, std::string_view key) const {
  const auto& items = values_[dict].items;
  for (std::size_t i = items.size(); i >= 2; i -= 2) {
    const PickleValue& candidate = values_[items[i - 2]];
    if (candidate.kind == PickleKind::kString && candidate.text == key) return items[i - 1];
  }
  return kNoPickleRef;
}

}  // namespace chorus::checkpoint
