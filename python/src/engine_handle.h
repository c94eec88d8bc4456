// A loaded model as Python holds it: chorus::Engine behind the interpreter's lock, which no call keeps
// while it waits.
//
// Thread contract: any thread may call any function, with the lock (without one in a free-threaded
// Python) held.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "chorus/cancellation.h"
#include "chorus/engine.h"
#include "fork_guard.h"
#include "job.h"

namespace chorus::python {

using Ids = nanobind::ndarray<const std::int32_t, nanobind::ndim<1>, nanobind::c_contig,
                              nanobind::device::cpu>;
using IdRows = nanobind::ndarray<const std::int32_t, nanobind::ndim<2>, nanobind::c_contig,
                                 nanobind::device::cpu>;

// How a model is found and loaded; EngineOptions and checkpoint::OpenOptions say what each means.
struct LoadOptions {
  std::string model;
  EngineOptions engine;
  checkpoint::OpenOptions checkpoint;
};

class EngineHandle {
 public:
  static std::unique_ptr<EngineHandle> load(LoadOptions options);
  ~EngineHandle();
  EngineHandle(const EngineHandle&) = delete;
  EngineHandle& operator=(const EngineHandle&) = delete;

  const ModelInfo& info() const { return facts_.info; }
  const checkpoint::ModelConfig& config() const { return facts_.config; }
  std::optional<std::int64_t> step() const { return facts_.step; }
  std::optional<double> val_loss() const { return facts_.val_loss; }
  std::size_t max_queue() const { return facts_.max_queue; }

  EngineStats stats() const { return engine()->stats(); }
  // Ends what runs, and frees the model when the last call has returned.
  void close();
  bool closed() const;

  std::vector<std::int32_t> encode(const std::string& text, bool special) const;
  // The same of a text that is scored: without a byte order mark in front.
  std::vector<std::int32_t> encode_to_score(const std::string& text, bool special) const;
  std::string decode(const Ids& ids) const;
  nanobind::bytes token_bytes(std::int32_t id) const;
  std::string token_name(std::int32_t id) const;  // as tables and JSON have it
  std::int32_t bos() const;

  std::unique_ptr<Job> submit(const Ids& prompt, const nanobind::dict& fields, bool streams,
                              std::shared_ptr<ReadyQueue> queue, std::uint64_t key) const;
  // For each text (logprobs, contexts, loss, scored, ranks, entropies, words): the ranks and entropies
  // empty unless asked for, the words None without a boundary ("corrected" or "leading"), else each
  // (text, begin, end, first_token, end_token, logprob or None).
  nanobind::list score(const std::vector<Ids>& texts, bool bos, std::int32_t stride,
                       bool rank_and_entropy, const std::optional<std::string>& boundary) const;
  // [B, T] ids: [B, T, V] floats.
  nanobind::ndarray<nanobind::numpy, float, nanobind::ndim<3>> logits(const IdRows& ids) const;

 private:
  // What is known of it after it was closed, too.
  struct Facts {
    ModelInfo info;
    checkpoint::ModelConfig config;
    std::optional<std::int64_t> step;
    std::optional<double> val_loss;
    std::size_t max_queue = 0;
  };
  struct Loaded {
    std::shared_ptr<Engine> engine;
    Facts facts;
  };
  static Result<Loaded> load_now(const LoadOptions& options);

  explicit EngineHandle(Loaded loaded)
      : facts_(std::move(loaded.facts)), engine_(std::move(loaded.engine)) {}
  // What encode(engine, text) gives; Ctrl-C need not wait for a long text.
  template <class Encode>
  std::vector<std::int32_t> tokenized(const std::string& text, Encode encode) const;
  // The engine, kept while it is used. Fails in a forked child and after close(), which cancels what
  // `cancellation` cancels.
  std::shared_ptr<Engine> engine(const std::shared_ptr<Cancellation>& cancellation = {}) const;
  // run_items() of items that use the engine and are cancelled with a signal and by close(). Fails.
  using Item = std::function<Result<void>(
      Engine& engine, const std::shared_ptr<Cancellation>& cancellation, std::size_t i)>;
  void run(std::size_t count, const Item& item) const;

  ForkGuard guard_;
  Facts facts_;
  mutable std::mutex mutex_;
  std::shared_ptr<Engine> engine_;                          // guarded by mutex_
  mutable std::vector<std::weak_ptr<Cancellation>> calls_;  // of what runs; guarded by mutex_
};

}  // namespace chorus::python
