// The HTTP server: what listens, the threads that serve, and the models behind them, from start to
// a graceful end. It handles no signals; who runs it does.
//
// Thread contract: start() and wait() from one thread; the rest from any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chorus/engine.h"
#include "server/log.h"
#include "server/options.h"

namespace chorus::server {

struct ModelSource {
  std::string name;  // that clients ask for
  std::function<Result<std::unique_ptr<Engine>>()> load;
  // Instead: another name of an earlier one, by its place in the list, which is in memory once.
  std::optional<std::size_t> same_as = {};
};

// Errors: kInvalidArgument: clients ask for models by name, and could not tell two of one name apart.
Result<void> check_model_names(const std::vector<ModelSource>& models);

class Server {
 public:
  // Listens at once, and loads the models meanwhile on a thread of its own; until they are there
  // what needs one is answered with 503. (Where the sockets are shared with other processes, it
  // listens when they are there.) The first model is the default.
  // Errors: kInvalidArgument, kNotFound, kIo: an address, folder, certificate or file of keys that is
  // not usable. Without a `log` the server makes one, as the options say.
  static Result<std::unique_ptr<Server>> start(ServerOptions options,
                                               std::vector<ModelSource> models,
                                               std::shared_ptr<Log> log = nullptr);
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;  // of TCP
  // All that is listened on: "http://127.0.0.1:4444", "/run/chorus.sock".
  std::vector<std::string> addresses() const;
  bool is_loading() const;
  bool is_ready() const;  // all models are there, and it listens

  // Reads the keys and certificates again. What cannot be read stays as it was; the log says what
  // happened, and nothing ends.
  void reload();
  // Lets go of the sockets at once. What was connected to them is served, each connection with one more
  // request at the most; wait() returns when what is running has ended, or after the drain timeout.
  void drain();
  // Cuts everything; wait() returns.
  void stop();

  // Until drain() or stop() has done its work; true if nothing was cut. Errors: the first model
  // that could not be loaded, which stops the server.
  Result<bool> wait();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace chorus::server
