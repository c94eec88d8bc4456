// Engine::complete and Engine::generate: a request, and waiting for its end.

#include <algorithm>
#include <utility>

#include "chorus/engine.h"
#include "core/out_of_memory.h"

namespace chorus {
namespace {

// Adds what an event tells to the sample it is about. Errors: the event's own.
Result<void> collect(Event event, Completion& sample) {
  sample.text += event.text;
  switch (event.kind) {
    case Event::Kind::kPrompt:
      sample.prompt = std::move(event.prompt);
      break;
    case Event::Kind::kToken:
      sample.tokens.push_back(event.token.id);
      sample.result.push_back(std::move(event.token));
      break;
    case Event::Kind::kDone:
      sample.finish_reason = event.finish_reason;
      sample.usage = event.usage;
      break;
    case Event::Kind::kError:
      return std::move(event.error);
  }
  return ok();
}

Result<std::vector<Completion>> complete_all(Engine& engine, const Request& request) {
  Request echoing = request;
  echoing.echo = true;
  CHORUS_TRY(Stream stream, engine.submit(std::move(echoing)));
  Completion start;
  start.tokens = request.prompt;
  std::vector<Completion> samples(static_cast<std::size_t>(request.n), start);
  while (std::optional<Event> event = stream.next()) {
    Completion& sample = samples[static_cast<std::size_t>(event->sample)];
    bool prompt = event->kind == Event::Kind::kPrompt;
    CHORUS_TRY(collect(std::move(*event), sample));
    // It comes once, before any sample's own text.
    if (prompt) std::fill(samples.begin() + 1, samples.end(), sample);
  }
  return samples;
}

Result<Completion> generate_one(Engine& engine, const Request& request,
                                const TextCallback& on_text) {
  Request echoing = request;
  echoing.echo = true;
  echoing.n = 1;
  CHORUS_TRY(Stream stream, engine.submit(std::move(echoing)));
  Completion completion;
  completion.tokens = request.prompt;
  bool wanted = static_cast<bool>(on_text);
  while (std::optional<Event> event = stream.next()) {
    std::string text = event->text;
    bool shown = event->kind != Event::Kind::kPrompt || request.echo;
    CHORUS_TRY(collect(std::move(*event), completion));
    if (wanted && shown && !text.empty() && !on_text(text)) {
      wanted = false;
      stream.cancel();
    }
  }
  return completion;
}

}  // namespace

Result<std::vector<Completion>> Engine::complete(const Request& request) {
  return or_out_of_memory([&] { return complete_all(*this, request); });
}

Result<Completion> Engine::generate(const Request& request, const TextCallback& on_text) {
  return or_out_of_memory([&] { return generate_one(*this, request, on_text); });
}

}  // namespace chorus
