// Any bytes as the bodies of /v1/completions, /generate and /v1/score: refused with a one-line
// message, or requests that fit the block size.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "server/api/chat_request.h"
#include "server/api/completions_request.h"
#include "server/api/generate_request.h"
#include "server/api/score_request.h"
#include "support/tiny_model.h"

namespace {

using namespace chorus;

constexpr std::int32_t kBlockSize = 64;

// A small model with GPT-2's tokenizer.
const Engine& engine() {
  static const std::unique_ptr<Engine> made = [] {
    checkpoint::ModelConfig config = test::odd_config();
    config.block_size = kBlockSize;
    test::TinyModel model(config);
    return std::move(
        Engine::load(model.checkpoint(), {.threads = 1, .pin_threads = false}).assume_value());
  }();
  return *made;
}

void require(bool condition) {
  if (!condition) std::abort();
}

void check_error(const server::ApiError& error) {
  require(error.status >= 400 && error.status < 500 && !error.message.empty());
  require(error.message.find('\n') == std::string::npos);
}

void check_request(const Request& request) {
  require(!request.prompt.empty());
  require(request.max_length >= static_cast<std::int32_t>(request.prompt.size()));
  require(request.max_length <= kBlockSize);
}

void try_completions(std::string_view body) {
  auto parsed = server::parse_completions(body);
  if (!parsed) return check_error(parsed.assume_error());
  auto requests = server::to_engine_requests(parsed.assume_value(), engine());
  if (!requests) return check_error(requests.assume_error());
  require(requests.assume_value().size() == parsed.assume_value().prompts.size());
  for (const Request& request : requests.assume_value()) check_request(request);
}

void try_chat(std::string_view body) {
  static const auto plain =
      server::ChatTemplate::make({server::ChatTemplateOption::Kind::kPlain}, engine());
  auto parsed = server::parse_chat(body);
  if (!parsed) return check_error(parsed.assume_error());
  if (auto made = server::use_template(parsed.assume_value(), *plain.assume_value()); !made) {
    return check_error(made.assume_error());
  }
  auto requests = server::to_engine_requests(parsed.assume_value(), engine());
  if (!requests) return check_error(requests.assume_error());
  for (const Request& request : requests.assume_value()) check_request(request);
}

void try_generate(std::string_view body) {
  auto parsed = server::parse_generate_body(body);
  if (!parsed) return check_error(parsed.assume_error());
  auto request = server::to_engine_request(parsed.assume_value(), engine());
  if (!request) return check_error(request.assume_error());
  check_request(request.assume_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view body(reinterpret_cast<const char*>(data), size);
  try_completions(body);
  try_chat(body);
  try_generate(body);
  if (auto score = server::parse_score(body); !score) check_error(score.assume_error());
  return 0;
}
