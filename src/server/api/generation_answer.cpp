#include "server/api/generation_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace chorus::server {

// JSON's text may hold characters that are ends of lines for some readers of streams, though not by
// the standard (Python's str.splitlines): they are escaped. They stand in strings only.
std::string sse(const std::string& data) {
  constexpr std::pair<std::string_view, std::string_view> kLineEnds[] = {
      {"\xc2\x85", "\\u0085"}, {"\xe2\x80\xa8", "\\u2028"}, {"\xe2\x80\xa9", "\\u2029"}};
  std::string event = "data: ";
  for (std::string_view rest = data; !rest.empty();) {
    std::size_t length = std::min(rest.find_first_of("\xc2\xe2"), rest.size());
    event += rest.substr(0, length);
    rest.remove_prefix(length);
    const auto* found =
        std::find_if(std::begin(kLineEnds), std::end(kLineEnds),
                     [rest](const auto& line_end) { return rest.starts_with(line_end.first); });
    bool is_found = found != std::end(kLineEnds);
    length = is_found ? found->first.size() : std::min<std::size_t>(rest.size(), 1);
    event += is_found ? found->second : rest.substr(0, length);
    rest.remove_prefix(length);
  }
  return event + "\n\n";
}

std::string usage_json(std::int64_t prompt_tokens, std::int64_t generated_tokens,
                       std::int64_t cached_tokens) {
  return fmt::format(R"({{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},)"
                     R"("prompt_tokens_details":{{"cached_tokens":{}}}}})",
                     prompt_tokens, generated_tokens, prompt_tokens + generated_tokens,
                     cached_tokens);
}

bool is_cut_by_string(const Request& request, const ModelInfo& info, std::int32_t last_id,
                      FinishReason reason) {
  if (reason != FinishReason::kStop) return false;
  auto has_last = [last_id](const std::vector<std::int32_t>& ids) {
    return std::find(ids.begin(), ids.end(), last_id) != ids.end();
  };
  SamplingLoop loop = request.sampling.loop.value_or(info.loop);
  bool ignores_eos = request.ignore_eos.value_or(loop == SamplingLoop::kNanoGpt);
  return !has_last(request.stop_ids) && (ignores_eos || !has_last(info.eos));
}

}  // namespace chorus::server
