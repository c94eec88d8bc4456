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

std::string Pickle::global_name(PickleRef global) const {
  const PickleValue& value = values_[global];
  if (value.arguments != kNoPickleRef) {
    return std::string(values_[value.arguments].text) + "." + std::string(value.text);
  }
  std::string result(value.text);  // as GLOBAL has it: module, line feed, name
  if (std::size_t line_feed = result.find('\n'); line_feed != std::string::npos) {
    result[line_feed] = '.';
  }
  return result;
}

}  // namespace chorus::checkpoint
