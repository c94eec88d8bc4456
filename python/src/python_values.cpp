#include "python_values.h"

#include <nanobind/stl/string.h>

#include "job.h"

namespace nb = nanobind;

namespace chorus::python {
namespace {

nb::list token_list(const std::vector<TokenInfo>& tokens) {
  nb::list list;
  for (const TokenInfo& token : tokens) list.append(token_tuple(token));
  return list;
}

}  // namespace

nb::tuple token_tuple(const TokenInfo& token) {
  nb::list top;
  for (const TokenLogprob& other : token.top) top.append(nb::make_tuple(other.id, other.logprob));
  nb::object logprob = token.logprob ? nb::cast(*token.logprob) : nb::none();
  return nb::make_tuple(token.id, logprob, top);
}

nb::tuple completion_tuple(const Completion& completion, bool with_tokens) {
  nb::list ids;
  for (std::int32_t id : completion.tokens) ids.append(id);
  const Usage& usage = completion.usage;
  nb::tuple usages =
      nb::make_tuple(usage.prompt_tokens, usage.cached_tokens, usage.generated_tokens,
                     usage.queue_seconds, usage.first_token_seconds, usage.seconds);
  nb::object tokens = nb::none(), prompt = nb::none();
  if (with_tokens) tokens = token_list(completion.result);
  if (!completion.prompt.empty()) prompt = token_list(completion.prompt);
  return nb::make_tuple(ids, completion.text, finish_reason_name(completion.finish_reason), usages,
                        tokens, prompt);
}

nb::tuple piece_tuple(const Piece& piece) {
  nb::object token = nb::none();
  if (piece.token) token = token_tuple(*piece.token);
  return nb::make_tuple(piece.sample, piece.text, token);
}

}  // namespace chorus::python
