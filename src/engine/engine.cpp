// Loading an Engine and handing requests to its thread.

#include "chorus/engine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <future>

#include "checkpoint/checkpoint.h"
#include "core/content_hash.h"
#include "core/memory.h"
#include "core/out_of_memory.h"
#include "core/processors.h"
#include "core/utf8.h"
#include "engine/cancellation.h"
#include "engine/engine_impl.h"
#include "engine/memory_need.h"
#include "engine/request_check.h"
#include "tokenizer/tokenizer.h"

namespace chorus {
namespace {

SamplingLoop loop_of(checkpoint::Origin origin) {
  switch (origin) {
    case checkpoint::Origin::kTalk:
      return SamplingLoop::kTalk;
    case checkpoint::Origin::kNanoGpt:
      return SamplingLoop::kNanoGpt;
    case checkpoint::Origin::kTransformers:
      return SamplingLoop::kTransformers;
  }
  return SamplingLoop::kTalk;
}

Result<void> check_options(const EngineOptions& options) {
  auto check = [](const char* field, std::size_t value, std::size_t least,
                  std::size_t most) -> Result<void> {
    if (value >= least && value <= most) return ok();
    std::string from = least > 0 ? fmt::format("{} to", least) : "at most";
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("{}: expected {} {}, found {}", field, from, most, value)};
  };
  if (options.dtype && std::ranges::find(kWeightFormats, *options.dtype) == kWeightFormats.end()) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("dtype: expected f32, bf16, bf16-f32, int8 or int4, found {}",
                             number_format_name(*options.dtype))};
  }
  CHORUS_TRY(check("threads", options.threads, 0, 1024));
  CHORUS_TRY(check("max_queue", options.max_queue, 1, 1'000'000));
  CHORUS_TRY(check("step_rows", options.step_rows, 1, 4096));
  if (std::uint64_t most = most_memory(); most > 0 && options.kv_memory > most) {
    return Error{ErrorCode::kInvalidArgument,
                 fmt::format("kv_memory: expected at most {} bytes, which is what this process may "
                             "have, found {}",
                             most, options.kv_memory)};
  }
  return ok();
}

TokenizerInfo describe(const tokenizer::Tokenizer* tokenizer, const std::string& chat_template) {
  if (tokenizer == nullptr) return {};
  tokenizer::Tokenizer::Traits traits = tokenizer->traits();
  return {.description = tokenizer->description(),
          .kind = traits.kind,
          .add_prefix_space = traits.add_prefix_space,
          .add_bos_token = traits.add_bos_token,
          .unk = tokenizer->roles().unk,
          .chat_template = chat_template};
}

// Whether AMX makes products of the model's matrices, where a processor has it.
bool is_for_amx(NumberFormat type) { return is_quantised(type) || type == NumberFormat::kBf16; }
bool uses_amx(const model::Model& model) {
  const kernels::Kernels& kernels = model.kernels();
  return model.weight_type() == NumberFormat::kBf16
             ? kernels.amx_bf16
             : is_quantised(model.weight_type()) && kernels.amx;
}

std::vector<std::string> notes_of(const checkpoint::Checkpoint& checkpoint,
                                  const model::Model& model) {
  std::vector<std::string> notes = checkpoint.notes;
  std::string amx = kernels::amx_note(model.kernels());
  if (is_for_amx(model.weight_type()) && !amx.empty()) notes.push_back(std::move(amx));
  return notes;
}

}  // namespace

const char* finish_reason_name(FinishReason reason) {
  return reason == FinishReason::kStop     ? "stop"
         : reason == FinishReason::kLength ? "length"
                                           : "cancelled";
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

Engine::Impl::~Impl() {
  mailbox->stop();
  if (thread.joinable()) thread.join();
}

const ModelInfo& Engine::info() const { return impl_->info; }
EngineStats Engine::stats() const { return impl_->loop->stats(); }

std::string Engine::digest() const {
  const checkpoint::ModelConfig& config = impl_->model->config();
  ContentHash hash;
  hash.add(fmt::format("chorus model: {} positions, {} ids, {} layers of {} heads, {} and {} wide",
                       config.block_size, config.vocab_size, config.n_layer, config.n_head,
                       config.n_embd, config.n_inner));
  hash.add(fmt::format("{}, epsilon {}, scores {}{}", activation_name(config.activation),
                       config.layer_norm_epsilon, config.scale_attn_weights,
                       config.scale_attn_by_inverse_layer_idx));
  impl_->model->weights().add_to(hash);
  hash.add(info().tokenizer.description);
  std::string tokens;
  for (std::int32_t id = 0; id < impl_->tokens.usable; ++id) {
    tokens += token_bytes(id);
    tokens += '\0';
  }
  hash.add(tokens);
  hash.add(
      fmt::format("ends {}; loop {}", fmt::join(info().eos, " "), sampling_loop_name(info().loop)));
  return hash.hex();
}

Result<std::unique_ptr<Engine>> Engine::load(const checkpoint::Checkpoint& checkpoint,
                                             const EngineOptions& options) {
  return or_out_of_memory([&] { return Impl::load(checkpoint, options); });
}

Result<std::unique_ptr<Engine>> Engine::Impl::load(const checkpoint::Checkpoint& checkpoint,
                                                   const EngineOptions& options) {
  CHORUS_TRY(check_options(options));
  std::size_t threads = options.threads > 0 ? options.threads : available_processors();
  auto impl = std::make_unique<Impl>(threads, options.pin_threads, options.max_queue,
                                     engine::ModelTokens(checkpoint));
  CHORUS_TRY(impl->memory, engine::claim_memory(checkpoint, options));
  CHORUS_TRY(
      impl->model,
      model::Model::load(
          checkpoint, engine::weight_format(checkpoint, options), impl->team, options.progress,
          options.keep_mapped ? model::QuantisedMemory::kViewed : model::QuantisedMemory::kCopied));
  // Large numbers of f32 may become infinite as bf16: then the checkpoint has none to name.
  if (!options.allow_nonfinite && !impl->model->weights().is_finite) {
    if (auto where = checkpoint::find_nonfinite(checkpoint)) {
      return Error{ErrorCode::kCorrupt, checkpoint.path + ": " + *where +
                                            ", expected finite weights (see --allow-nonfinite)"};
    }
  }
  const checkpoint::ModelConfig& config = impl->model->config();
  std::size_t page_bytes = impl->model->kv_layout().page_bytes();
  std::size_t text_pages =
      (static_cast<std::size_t>(config.block_size) + model::kPagePositions - 1) /
      model::kPagePositions;
  CHORUS_TRY(std::size_t pages, engine::kv_pages(options, page_bytes, text_pages));
  if (options.kv_memory == 0) {
    impl->memory.add({"keys and values", std::uint64_t{pages} * page_bytes, /*is_default=*/true});
  }
  impl->info = {.path = checkpoint.path,
                .block_size = static_cast<std::int32_t>(config.block_size),
                .vocab_size = static_cast<std::int32_t>(config.vocab_size),
                .usable_ids = impl->tokens.usable,
                .parameters = checkpoint.parameter_count(),
                .dtype = impl->model->weight_type(),
                .instructions = impl->model->kernels().name,
                .amx = uses_amx(*impl->model),
                .threads = impl->team.size(),
                .weight_bytes = impl->model->weights().bytes(),
                .kv_bytes = std::uint64_t{pages} * page_bytes,
                .tokenizer = describe(checkpoint.tokenizer.get(), checkpoint.chat_template),
                .eos = checkpoint.token_ids.eos,
                .step = checkpoint.step,
                .val_loss = checkpoint.val_loss,
                .loop = loop_of(checkpoint.origin),
                .notes = notes_of(checkpoint, *impl->model)};
  impl->loop = std::make_unique<engine::Loop>(*impl->model, impl->tokens, impl->team,
                                              *impl->mailbox, pages, options);
  impl->thread = std::thread([engine = impl.get()] {
    engine->team.pin_calling_thread();
    engine->loop->run();
  });
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Result<std::vector<std::int32_t>> Engine::encode(std::string_view text, bool special) const {
  const engine::ModelTokens& tokens = impl_->tokens;
  if (tokens.tokenizer == nullptr) return Error{ErrorCode::kUnsupported, tokens.no_tokenizer};
  return tokens.tokenizer->encode(
      text, special ? tokenizer::Special::kRecognise : tokenizer::Special::kAsText);
}

std::string Engine::decode(std::span<const std::int32_t> ids) const {
  std::string bytes;
  for (std::int32_t id : ids) bytes += token_bytes(id);
  return replace_ill_formed(bytes);
}

std::string Engine::token_bytes(std::int32_t id) const {
  return tokenizer::text_of(impl_->tokens.tokenizer.get(), id);
}

std::optional<std::size_t> Engine::most_token_bytes() const {
  const auto& tokenizer = impl_->tokens.tokenizer;
  return tokenizer == nullptr ? std::nullopt : tokenizer->most_bytes();
}

Result<std::int32_t> Engine::bos() const {
  if (impl_->tokens.ids.bos) return *impl_->tokens.ids.bos;
  return Error{ErrorCode::kUnsupported, "the model has no token that begins a text (bos_token_id)"};
}

Result<Stream> Engine::submit(Request request, EventCallback on_event) {
  return or_out_of_memory([&]() -> Result<Stream> {
    CHORUS_TRY(auto state, impl_->prepare(std::move(request), std::move(on_event)));
    Stream stream(state->stream);
    CHORUS_TRY(impl_->mailbox->post({&state, 1}));
    return stream;
  });
}

Result<std::vector<Stream>> Engine::submit(
    std::vector<Request> requests, const std::function<EventCallback(std::size_t)>& callback_of) {
  return or_out_of_memory([&]() -> Result<std::vector<Stream>> {
    std::vector<std::shared_ptr<engine::RequestState>> states;
    std::vector<Stream> streams;
    streams.reserve(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      CHORUS_TRY(auto state, impl_->prepare(std::move(requests[i]), callback_of(i)));
      streams.push_back(Stream(state->stream));
      states.push_back(std::move(state));
    }
    if (!states.empty()) {
      CHORUS_TRY(impl_->mailbox->post(states));
    }
    return streams;
  });
}

void Engine::after_callbacks(std::function<void()> function) {
  impl_->mailbox->post_task([loop = impl_->loop.get(), function = std::move(function)]() mutable {
    loop->after_callbacks(std::move(function));
  });
}

Result<std::shared_ptr<engine::RequestState>> Engine::Impl::prepare(Request request,
                                                                    EventCallback on_event) {
  if (!request.sampling.loop) request.sampling.loop = info.loop;
  if (!request.ignore_eos) {
    request.ignore_eos = request.sampling.loop == SamplingLoop::kNanoGpt;
  }
  CHORUS_TRY(engine::check(request, info));
  auto block_size = static_cast<std::size_t>(info.block_size);
  auto state = std::make_shared<engine::RequestState>(std::move(request), block_size);
  std::uint64_t pages = (state->positions() + model::kPagePositions - 1) / model::kPagePositions;
  std::uint64_t bytes = pages * model->kv_layout().page_bytes();
  bool prompt_alone =
      state->request.prompt.size() == static_cast<std::size_t>(state->request.max_length);
  if (bytes > info.kv_bytes) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("{}the keys and values of {} tokens take {} bytes, of {} that this "
                             "engine may use for them (kv_memory)",
                             // What is only read is as long as it is; nobody chose its length.
                             prompt_alone ? "" : "max_length: ", state->request.max_length, bytes,
                             info.kv_bytes)};
  }
  state->stream = std::make_shared<Stream::State>(
      std::move(on_event), [to = mailbox] { to->wake(); }, state->request.n);
  if (const auto& cancellation = state->request.cancellation) {
    cancellation->state_->add(state->stream);
  }
  return state;
}

}  // namespace chorus
