// Any bytes as a chat template: refused with its line, or rendered for a few messages within its bounds.
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "jinja/template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace json = boost::json;
  static const json::object variables = {
      {"messages", json::array{{{"role", "system"}, {"content", " Be brief.\n"}},
                               {{"role", "user"}, {"content", "a,b"}, {"name", "Ann"}},
                               {{"role", "assistant"}, {"content", ""}}}},
      {"eos_token", "<|endoftext|>"},
      {"add_generation_prompt", true}};
  constexpr std::size_t kMostBytes = 10000;
  std::string_view source(reinterpret_cast<const char*>(data), size);
  auto made = chorus::jinja::Template::parse(source);
  if (!made) {
    if (!made.assume_error().message.starts_with("line ")) std::abort();
    return 0;
  }
  auto text = made.assume_value().render(variables, kMostBytes);
  if (text && text.assume_value().size() > kMostBytes) std::abort();
  return 0;
}
