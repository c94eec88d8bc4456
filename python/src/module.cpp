// chorus._core: what of Chorus the Python package is made of. Its interface is the package's own
// affair; people use the classes of chorus/, which say what everything means.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include "engine/score_text.h"
#include "engine_handle.h"
#include "errors.h"
#include "hub/hub.h"
#include "hub/names.h"
#include "inside.h"
#include "job.h"
#include "request_fields.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace chorus::python {
namespace {

// Of every function.
using InCall = nb::call_guard<Call>;

std::unique_ptr<EngineHandle> load(const std::string& model, std::optional<std::string> dtype,
                                   std::size_t threads, bool pin_threads, std::uint64_t kv_memory,
                                   bool prefix_cache, std::size_t max_queue, std::size_t step_rows,
                                   bool allow_nonfinite, std::optional<std::string> tokenizer,
                                   std::optional<std::string> activation,
                                   std::optional<std::int64_t> n_head) {
  LoadOptions options{.model = model,
                      .engine = {.threads = threads,
                                 .pin_threads = pin_threads,
                                 .kv_memory = kv_memory,
                                 .prefix_cache = prefix_cache,
                                 .max_queue = max_queue,
                                 .step_rows = step_rows,
                                 .allow_nonfinite = allow_nonfinite},
                      .checkpoint = {.n_head = n_head, .tokenizer = std::move(tokenizer)}};
  if (dtype) {
    options.engine.dtype = parse_number_format(*dtype);
    if (!options.engine.dtype) {
      refuse("dtype: expected f32, bf16, bf16-f32, int8 or int4, found \"" + *dtype + "\"");
    }
  }
  if (activation) {
    options.checkpoint.activation = checkpoint::parse_activation(*activation);
    if (!options.checkpoint.activation) {
      refuse("activation: expected gelu, gelu_new or relu, found \"" + *activation + "\"");
    }
  }
  return EngineHandle::load(std::move(options));
}

nb::dict info_dict(const EngineHandle& engine) {
  const ModelInfo& info = engine.info();
  nb::dict dict;
  dict["path"] = info.path;
  dict["block_size"] = info.block_size;
  dict["vocab_size"] = info.vocab_size;
  dict["parameters"] = info.parameters;
  dict["dtype"] = number_format_name(info.dtype);
  dict["instructions"] = info.instructions;
  dict["amx"] = info.amx;
  dict["threads"] = info.threads;
  dict["weight_bytes"] = info.weight_bytes;
  dict["kv_bytes"] = info.kv_bytes;
  dict["tokenizer"] = info.tokenizer.description;
  dict["eos"] = nb::tuple(nb::cast(info.eos));
  dict["loop"] = sampling_loop_name(info.loop);
  dict["notes"] = nb::tuple(nb::cast(info.notes));
  const checkpoint::ModelConfig& config = engine.config();
  dict["n_layer"] = config.n_layer;
  dict["n_head"] = config.n_head;
  dict["n_embd"] = config.n_embd;
  dict["activation"] = checkpoint::activation_name(config.activation);
  dict["step"] = nb::cast(engine.step());
  dict["val_loss"] = nb::cast(engine.val_loss());
  return dict;
}

nb::dict stats_dict(const EngineHandle& engine) {
  EngineStats stats = engine.stats();
  nb::dict dict;
  dict["running"] = stats.running;
  dict["waiting"] = stats.waiting;
  dict["kv_usage"] = stats.kv_usage;
  dict["kv_reserved"] = stats.kv_reserved;
  dict["prefix_queries"] = stats.prefix_queries;
  dict["prefix_hits"] = stats.prefix_hits;
  dict["prompt_tokens"] = stats.prompt_tokens;
  dict["generated_tokens"] = stats.generated_tokens;
  dict["steps"] = stats.steps;
  return dict;
}

// (kind, owner, name, revision, file) of a name that can be fetched; nothing for what is none.
std::optional<nb::tuple> model_source(const std::string& model) {
  if (!hub::is_model_name(model)) return std::nullopt;
  hub::Source source = value_or_fail(hub::parse_model_name(model));
  return nb::make_tuple(source.kind, source.owner, source.name, source.revision, source.file);
}

void bind_job(nb::module_& module) {
  nb::class_<ReadyQueue>(module, "ReadyQueue", "Keys of jobs that have news.")
      .def(
          "take",
          [](ReadyQueue& queue) {
            Unlocked unlocked;
            return queue.take();
          },
          InCall(), "Waits for keys; none once it is closed.")
      .def("close", &ReadyQueue::close, InCall(), "Ends take().");
  module.def("ready_queue", &ReadyQueue::make, InCall(), "A new, empty one.");
  nb::class_<Job>(module, "Job", "A submitted request. Dropping it cancels it.")
      .def("result", &Job::result, InCall(), "Waits for the end: the samples.")
      .def("next", &Job::next, InCall(), "Waits for the next piece; None after the last.")
      .def("take", &Job::take, InCall(), "The pieces that are there, and whether all have ended.")
      .def("done", &Job::done, InCall(), "Whether all samples have ended.")
      .def("cancel", &Job::cancel, InCall(), "Ends what has not ended.");
}

void bind_engine(nb::module_& module) {
  nb::class_<EngineHandle>(module, "Engine", "A loaded model.")
      .def("info", &info_dict, InCall(), "What the model is.")
      .def("stats", &stats_dict, InCall(), "Counts since it was loaded, and the state now.")
      .def("close", &EngineHandle::close, InCall(), "Ends what runs and frees the model.")
      .def("closed", &EngineHandle::closed, InCall(), "Whether close() was called.")
      .def("max_queue", &EngineHandle::max_queue, InCall(), "Samples that may wait.")
      .def("encode", &EngineHandle::encode, InCall(), "text"_a, "special"_a, "Text (UTF-8) to ids.")
      .def("decode", &EngineHandle::decode, InCall(), "ids"_a, "Ids to text.")
      .def("token_bytes", &EngineHandle::token_bytes, InCall(), "id"_a, "The bytes of one id.")
      .def("encode_to_score", &EngineHandle::encode_to_score, InCall(), "text"_a, "special"_a,
           "The same without a byte order mark in front.")
      .def("token_name", &EngineHandle::token_name, InCall(), "id"_a, "Its text, or bytes:... .")
      .def("bos", &EngineHandle::bos, InCall(), "What a text from nothing begins with.")
      .def("submit", &EngineHandle::submit, InCall(), "prompt"_a, "fields"_a, "streams"_a,
           "queue"_a.none() = nb::none(), "key"_a = 0, "Begins a request.")
      .def("score", &EngineHandle::score, InCall(), "texts"_a, "bos"_a, "stride"_a,
           "rank_and_entropy"_a, "boundary"_a.none(),
           "For each text (logprobs, contexts, loss, scored, ranks, entropies, words or None).")
      .def("logits", &EngineHandle::logits, InCall(), "ids"_a, "[B, T] ids to [B, T, V] logits.");
  module.def("load", &load, InCall(), "model"_a, nb::kw_only(), "dtype"_a.none(), "threads"_a,
             "pin_threads"_a, "kv_memory"_a, "prefix_cache"_a, "max_queue"_a, "step_rows"_a,
             "allow_nonfinite"_a, "tokenizer"_a.none(), "activation"_a.none(), "n_head"_a.none(),
             "Loads a model: a path, a name, or \"\" for the embedded one.");
}

}  // namespace

NB_MODULE(_core, module) {
  module.doc() = "The compiled part of chorus; use the classes of chorus.";
  // What is alive at the end of the interpreter belongs to somebody's daemon thread.
  nb::set_leak_warnings(false);
  translate_failures();
  bind_job(module);
  bind_engine(module);
  module.def("request_fields", &request_field_names, InCall(),
             "The keyword arguments of a request.");
  module.def("model_source", &model_source, InCall(), "model"_a,
             "(kind, owner, name, revision, file) of a name that can be fetched, else None.");
  module.def(
      "is_blank", [](const std::string& text) { return is_blank(text); }, InCall(), "text"_a,
      "Whether there is no word in it.");
  module.def("end", &end_of_interpreter, InCall(),
             "Before the interpreter ends: keeps the other threads out of it.");
  module.def("forked", &forget_other_threads, InCall(), "In the child, after fork().");
  module.attr("version") = CHORUS_VERSION;
  module.attr("has_hub") = nb::bool_(CHORUS_HAS_HUB);
}

}  // namespace chorus::python
