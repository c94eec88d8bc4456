// The models that `chorus serve` is to serve: how each is found and loaded.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "cli/serve_options.h"
#include "server/log.h"
#include "server/server.h"

namespace chorus::cli {

// Which of the models before number `i` is the same file, folder or name: it is in memory once.
std::optional<std::size_t> same_before(const std::vector<NamedModel>& models, std::size_t i);

// Loading tells the log of itself: what it begins, and every ten seconds how far it has come. On a
// terminal, unless the log is JSON, progress bars say the latter.
std::vector<server::ModelSource> model_sources(const ServeOptions& options,
                                               std::shared_ptr<server::Log> log);

}  // namespace chorus::cli
