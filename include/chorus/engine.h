// The public interface: a model that generates text and scores it, for many requests at once. The
// command line and the server use nothing else.
//
// Thread contract: an Engine may be called from any thread, and no request's result depends on any
// other. It must outlive calls of its own functions, but not its Streams.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chorus/error.h"
#include "chorus/export.h"
#include "chorus/number_format.h"
#include "chorus/request.h"
#include "chorus/score.h"
#include "chorus/stream.h"

namespace chorus {

namespace checkpoint {
struct Checkpoint;
}

struct EngineOptions {
  // How weight matrices are held: one of kWeightFormats. Empty: as they are stored, so that nothing
  // is lost: a quantised file's own format, bf16-f32 for a checkpoint of bf16 matrices, f32 for every
  // other.
  std::optional<NumberFormat> dtype = {};
  std::size_t threads = 0;  // 0: the processors that this process may use
  bool pin_threads = true;  // each to a processor of its own, if it takes all that there are
  // Bytes, at most, for keys and values; allotted as needed. 0: a quarter of the memory that is
  // free and that this process may use. More than it may have at all is refused, and so is more than
  // that together with what its other engines were given (kOutOfMemory).
  std::uint64_t kv_memory = 0;
  bool prefix_cache = true;      // keep keys and values of texts for others that begin alike
  std::size_t max_queue = 1024;  // samples that may wait; more are refused (kOverloaded)
  std::size_t step_rows = 256;   // tokens of one step, at most; also the most samples that run
  bool allow_nonfinite = false;  // accept NaN and infinite weights
  // Read a quantised file's weights where it is mapped: that starts sooner, and several processes
  // share the memory. But who writes to the file then changes the texts, and who makes it shorter ends
  // the process. Other files are never needed once they are loaded.
  bool keep_mapped = false;
  // Called while weights are read, with bytes done and in all; may be empty.
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};
  // Called while a model that was given by name is fetched, with a file's name and its bytes done
  // and in all (0: not known); may be empty.
  std::function<void(const std::string& file, std::uint64_t done, std::uint64_t total)>
      fetch_progress = {};
};

// What the model's texts are written with.
struct TokenizerInfo {
  std::string description;  // in a few words; empty: the model takes and gives ids alone
  std::string kind;         // "GPT2Tokenizer" (byte-level BPE) or "Characters"
  bool add_prefix_space = false, add_bos_token = false;
  std::optional<std::int32_t> unk;
  std::string chat_template = {};  // in Jinja, as the model's own files have it; empty: none
};

// What the model is: for messages and results.
struct ModelInfo {
  std::string path;          // as the checkpoint was named
  std::int32_t block_size;   // positions: the most tokens of prompt and result
  std::int32_t vocab_size;   // padding included
  std::int32_t usable_ids;   // ids from here on are padding: never chosen, without a text
  std::int64_t parameters;   // tied weights once
  NumberFormat dtype;        // of the matrices in memory: one of kWeightFormats
  std::string instructions;  // of the kernels: "scalar", "avx2" or "avx512"
  bool amx;                  // whether AMX makes products of its matrices, beside avx512
  std::size_t threads;
  std::uint64_t weight_bytes;  // of the matrices in memory
  std::uint64_t kv_bytes;      // the most that keys and values may take
  TokenizerInfo tokenizer;
  std::vector<std::int32_t> eos;  // the ids that end a text
  // How long the model was trained, and its loss (nats per token), where the checkpoint says so.
  std::optional<std::int64_t> step;
  std::optional<double> val_loss;
  SamplingLoop loop = SamplingLoop::kTalk;  // of the program that it comes from
  // What the checkpoint left open and how it was decided, and what the machine has and cannot be
  // used, a sentence each: to be shown to the user.
  std::vector<std::string> notes;
};

// Counts since the engine was loaded, and the state now.
struct EngineStats {
  std::size_t running = 0, waiting = 0;  // samples
  double kv_usage = 0.0;                 // of the pages that may be held, the share that is
  double kv_reserved = 0.0;              // the same, with what is reserved for running samples
  std::uint64_t prefix_queries = 0, prefix_hits = 0;  // prompt tokens looked for and found
  std::uint64_t prompt_tokens = 0, generated_tokens = 0;
  std::uint64_t steps = 0;
};

// Receives a result's text as it becomes certain. Returning false ends the generation
// (kCancelled).
using TextCallback = std::function<bool(std::string_view text)>;

class CHORUS_EXPORT Engine {
 public:
  // Packs the weights. The checkpoint is not needed afterwards (a quantised one's file is
  // with keep_mapped). Errors: kCorrupt for NaN or infinite weights (unless allowed), kInvalidArgument for a
  // bad $CHORUS_ISA or option, kUnsupported.
  static Result<std::unique_ptr<Engine>> load(const checkpoint::Checkpoint& checkpoint,
                                              const EngineOptions& options);
  // The same for a model as the command line names it: a file or folder, recognised by its content;
  // else a name (gpt2, hf:owner/name, ...), which is fetched once into $CHORUS_CACHE; empty, the
  // model embedded in the library. Errors: also those of finding and opening it (kNotFound,
  // kNetwork, kIo, kCorrupt, kUnsupported).
  static Result<std::unique_ptr<Engine>> load(const std::string& model,
                                              const EngineOptions& options);
  ~Engine();  // ends every request as kCancelled
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const ModelInfo& info() const;
  // 32 hexadecimal digits that tell models apart: of the weights as they are computed with, whatever
  // file they come from, of the config, the tokenizer and the ids that end a text. Two engines of one
  // digest and one version of Chorus write the same texts. Reads all weights each time; against
  // forgery it is no help.
  std::string digest() const;
  EngineStats stats() const;

  // Begins a request. With a callback its events go there, else they wait in the Stream.
  // Errors: kInvalidArgument, naming the field, what was found and what was expected; kOverloaded
  // when the queue is full; kUnsupported when its keys and values could never fit; kOutOfMemory.
  Result<Stream> submit(Request request, EventCallback on_event = {});
  // The same for several requests of one client, all of which are taken or none: together they need
  // places in the queue. `callback_of(i)` makes the callback of the i-th.
  Result<std::vector<Stream>> submit(
      std::vector<Request> requests,
      const std::function<EventCallback(std::size_t request)>& callback_of);

  // From now on `function` is called on the engine's thread after callbacks have been called: once for all
  // of a step, when the engine's other threads compute the next one already, or before it waits. What a
  // callback would wake another thread for can be put aside until then. It must be brief and must not
  // throw. Throws std::bad_alloc.
  void after_callbacks(std::function<void()> function);

  // submit() and waiting for the end: the samples, in order. Errors: also a sample's own.
  Result<std::vector<Completion>> complete(const Request& request);
  // The same for one sample (n = 1), whose text is given out as it is made (with echo, the prompt's
  // first). The callback runs on the calling thread.
  Result<Completion> generate(const Request& request, const TextCallback& on_text = {});
  Result<Score> score(const ScoreRequest& request);
  // The model's logits [ids.size(), ModelInfo::vocab_size] at every position, with the same bits that
  // generation draws from. They are computed in chunks, beside what else runs. Errors:
  // kInvalidArgument for no ids, more than the block size, or one that is not in the vocabulary.
  Result<std::vector<float>> logits(std::span<const std::int32_t> ids);

  // The model's own tokenizer. With `special`, the name of a special token in the text
  // ("<|endoftext|>") is the token, not its letters. Errors: kUnsupported for a model without a
  // tokenizer, which takes ids alone; kInvalidArgument for a text that its tokens cannot write.
  Result<std::vector<std::int32_t>> encode(std::string_view text, bool special = false) const;
  // The text of the ids; bytes that are no UTF-8 become U+FFFD.
  std::string decode(std::span<const std::int32_t> ids) const;
  // The very bytes of one id, which may be part of a character; "<|id 50300|>" for an id that has
  // no text.
  std::string token_bytes(std::int32_t id) const;
  // Of a text, the most bytes that one id can stand for; empty if there is no such bound.
  std::optional<std::size_t> most_token_bytes() const;
  // What a text from nothing begins with. Errors: kUnsupported for a model without such a token.
  Result<std::int32_t> bos() const;

 private:
  friend struct EngineInternals;  // engine/internals.h: for tests and measurements
  struct CHORUS_HIDDEN Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace chorus
