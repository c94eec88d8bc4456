// Engine::load of a model that is named as the command line names it. It is not in engine/, which
// knows nothing of models by name.

#include "chorus/engine.h"
#include "core/out_of_memory.h"
#include "library/model_source.h"

namespace chorus {

Result<std::unique_ptr<Engine>> Engine::load(const std::string& model,
                                             const EngineOptions& options) {
  return or_out_of_memory([&]() -> Result<std::unique_ptr<Engine>> {
    CHORUS_TRY(auto checkpoint, library::open_model(model, {}, options.fetch_progress));
    return load(checkpoint, options);
  });
}

}  // namespace chorus
