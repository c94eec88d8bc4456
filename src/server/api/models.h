// The models that are served, by name, and whether they are loaded.
//
// Thread contract: any thread; an engine that was given out stays until it is let go.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chorus/engine.h"
#include "core/mutex.h"
#include "server/api/api_error.h"
#include "server/api/chat_template.h"
#include "server/api/event_queue.h"

namespace chorus::server {

struct ServedModel {
  std::string name;
  std::shared_ptr<Engine> engine = {};                     // null while it is being loaded
  std::int64_t created = 0;                                // when it was loaded, seconds since 1970
  std::string digest = {};                                 // Engine::digest()
  std::shared_ptr<const ChatTemplate> chat_template = {};  // null: no chats
  std::shared_ptr<EventBatch> event_batch = {};            // the engine's
};

class Models {
 public:
  explicit Models(std::vector<std::string> names);

  // Reads all of its weights, for their digest.
  void set_ready(std::size_t index, std::shared_ptr<Engine> engine,
                 std::shared_ptr<const ChatTemplate> chat_template = nullptr);
  bool all_ready() const;
  std::vector<ServedModel> all() const;

  // By name; an empty one is the first. Errors: 404, 503 while it is being loaded.
  ApiResult<ServedModel> find(const std::string& name) const;

 private:
  std::shared_ptr<EventBatch> batch_of(const std::shared_ptr<Engine>& engine)
      CHORUS_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::vector<ServedModel> models_ CHORUS_GUARDED_BY(mutex_);
};

}  // namespace chorus::server
