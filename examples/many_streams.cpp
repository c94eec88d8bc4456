// Several texts at once from one model, each printed when it is whole: the C++ interface of Chorus
// in one page.
//
// usage: many_streams [MODEL] [PROMPT...]     without MODEL, or with "-": the embedded storyteller

#include <cstdio>
#include <string>
#include <vector>

#include "chorus/engine.h"

int main(int argc, char** argv) {
  std::string model = argc > 1 && std::string(argv[1]) != "-" ? argv[1] : "";
  std::vector<std::string> prompts(argv + (argc > 2 ? 2 : argc), argv + argc);
  if (prompts.empty()) prompts = {"Once upon a time", "The old man", "In the forest"};

  auto loaded = chorus::Engine::load(model, {});
  if (!loaded) {
    std::fprintf(stderr, "%s\n", loaded.assume_error().message.c_str());
    return 1;
  }
  chorus::Engine& engine = *loaded.assume_value();

  std::vector<chorus::Stream> streams;  // all begin now and share every pass over the weights
  for (const std::string& prompt : prompts) {
    auto ids = engine.encode(prompt);
    if (!ids) {
      std::fprintf(stderr, "%s\n", ids.assume_error().message.c_str());
      return 1;
    }
    chorus::Request request{.prompt = ids.assume_value(), .max_length = 60};
    request.sampling.seed = 42;
    auto stream = engine.submit(request);
    if (!stream) {
      std::fprintf(stderr, "%s\n", stream.assume_error().message.c_str());
      return 1;
    }
    streams.push_back(std::move(stream.assume_value()));
  }

  for (std::size_t i = 0; i < streams.size(); ++i) {
    std::string text = prompts[i];
    while (auto event = streams[i].next()) text += event->text;
    std::printf("--- %s\n", text.c_str());
  }
}
