// Any text as a config.json: refused with a one-line message, or a config that is written and read
// again as the same.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "checkpoint/gpt2/completion.h"
#include "checkpoint/gpt2/config_json.h"

namespace {

using namespace chorus;

void require(bool condition) {
  if (!condition) std::abort();
}

// The whole config; nothing if a size is missing or wrong, as there are no tensors to tell it.
std::optional<checkpoint::ModelConfig> whole(const checkpoint::ConfigFields& fields) {
  auto config = checkpoint::complete_config(fields, {}, {});
  if (!config) return std::nullopt;
  return config.assume_value().config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto fields = checkpoint::parse_config_json({reinterpret_cast<const char*>(data), size});
  if (!fields) {
    const std::string& message = fields.assume_error().message;
    require(!message.empty() && message.find('\n') == std::string::npos);
    return 0;
  }
  auto config = whole(fields.assume_value());
  if (!config) return 0;
  std::string text = checkpoint::config_to_json(*config);
  auto again = checkpoint::parse_config_json(text);
  require(static_cast<bool>(again));
  auto same = whole(again.assume_value());
  require(same.has_value() && checkpoint::config_to_json(*same) == text);
  return 0;
}
