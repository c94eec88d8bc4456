// The options of `chorus serve`: from the command line, a --config file, or $CHORUS_..., in this
// order.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "cli/engine_options.h"
#include "server/options.h"

namespace chorus::cli {

struct NamedModel {
  std::string name;  // that clients ask for
  std::string path;  // a path or a name that is fetched; empty: the embedded storyteller
};

struct ServeOptions {
  std::vector<NamedModel> models = {{"storyteller", ""}};  // the first is the default
  ModelOptions engine;  // of all of them; its `model` is not used
  server::ServerOptions server;
  bool is_buffer_total_given = false;  // server.http.max_buffer_total is the user's
  bool check = false;
};

void add_serve_options(CLI::App& command, ServeOptions& options);

// "NAME=PATH", or a path or name alone, which is then called as it is without folders and
// extension. What exists as a path is one, with '=' or without.
NamedModel parse_named_model(const std::string& text);

}  // namespace chorus::cli
