// A server on a free port with a small random model whose vocabulary is GPT-2's, so that any prompt
// works and generated text is full of characters split between tokens.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "chorus/engine.h"
#include "json/parse.h"
#include "server/server.h"
#include "support/http_client.h"
#include "support/tiny_model.h"

namespace chorus::server {

inline checkpoint::ModelConfig word_config() {
  checkpoint::ModelConfig config = test::odd_config();
  config.block_size = 1024;
  config.vocab_size = 50257;
  return config;
}

// An engine of its own for tests of what needs no server.
inline std::shared_ptr<Engine> word_engine() {
  static const std::shared_ptr<Engine> engine = [] {
    test::TinyModel model(word_config());
    return std::shared_ptr<Engine>(std::move(
        Engine::load(model.checkpoint(), {.threads = 1, .pin_threads = false}).assume_value()));
  }();
  return engine;
}

class ServerTest : public testing::Test {
 protected:
  using HttpClient = test::HttpClient;
  using HttpAnswer = test::HttpAnswer;

  // With the model loaded.
  void start(ServerOptions options = {}, EngineOptions engine_options = {}) {
    options.port = 0;
    options.log_level = "off";
    if (engine_options.threads == 0) engine_options.threads = 2;
    engine_options.pin_threads = false;
    auto load = [this, engine_options]() -> Result<std::unique_ptr<Engine>> {
      test::TinyModel model(word_config());
      auto engine = Engine::load(model.checkpoint(), engine_options);
      if (engine) engine_ = engine.assume_value().get();
      return engine;
    };
    start_with(std::move(options), {{"tiny", load}});
    for (int i = 0; i < kPatience && server_->is_loading(); ++i) pause();
    ASSERT_NE(engine_, nullptr);
  }

  void start_with(ServerOptions options, std::vector<ModelSource> models) {
    auto server = Server::start(std::move(options), std::move(models));
    ASSERT_TRUE(server) << server.assume_error().message;
    server_ = std::move(server.assume_value());
  }

  HttpAnswer get(const std::string& target, const std::string& headers = "") {
    HttpClient client(server_->port());
    client.get(target, headers);
    return client.answer();
  }
  HttpAnswer post(const std::string& target, const std::string& body,
                  const std::string& headers = "") {
    HttpClient client(server_->port());
    client.post(target, body, headers);
    return client.answer();
  }
  boost::json::value post_json(const std::string& target, const std::string& body) {
    HttpAnswer answer = post(target, body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return parse(answer.body);
  }
  // With every bit of its numbers, which Boost's own parser would not give.
  static boost::json::value parse(const std::string& text) {
    auto value = parse_json(text);
    EXPECT_TRUE(value) << text;
    return value ? value.assume_value() : boost::json::value();
  }
  // The error object of an answer.
  static boost::json::object error(const HttpAnswer& answer) {
    return parse(answer.body).at("error").as_object();
  }

  // Whether the engine comes to hold no request.
  bool becomes_idle() {
    return comes_to([](EngineStats stats) { return stats.running == 0 && stats.waiting == 0; });
  }
  // For what takes so long that a slow machine sees it running, too.
  bool becomes_busy() {
    return comes_to([](EngineStats stats) { return stats.running > 0; });
  }
  // With the engine held between two steps (test::EnginePause).
  bool has_waiting(std::size_t count) {
    return comes_to([=](EngineStats stats) { return stats.waiting == count; });
  }
  // Whether nobody is connected but who asks: whatever others were doing has been cancelled.
  bool becomes_alone() {
    for (int i = 0; i < kPatience; ++i, pause()) {
      std::string text = get("/metrics").body;
      if (text.find("\nchorus_http_connections 1\n") != std::string::npos) return true;
    }
    return false;
  }

  // How often what comes by itself is looked for: a minute, since a machine may be busy.
  static constexpr int kPatience = 6000;
  static void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(10)); }

  template <class Condition>
  bool comes_to(Condition&& condition) {
    for (int i = 0; i < kPatience; ++i, pause()) {
      if (condition(engine_->stats())) return true;
    }
    return false;
  }

  std::unique_ptr<Server> server_;
  Engine* engine_ = nullptr;  // the server's
};

}  // namespace chorus::server
