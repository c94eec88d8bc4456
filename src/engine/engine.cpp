// Loading an Engine, and what generation and scoring share.

#include "chorus/engine.h"

#include <algorithm>

#include "checkpoint/checkpoint.h"
#include "core/utf8.h"
#include "engine/engine_impl.h"
#include "tokenizer/tokenizer.h"

namespace chorus {
namespace {

// A quantised checkpoint's own type; bf16 in memory for a checkpoint whose matrices all are bf16:
// the same values in half the room.
model::WeightType stored_type(const checkpoint::Checkpoint& checkpoint) {
  if (auto type = checkpoint::quantised_type(checkpoint)) {
    return *type == checkpoint::QuantisedType::kInt8 ? model::WeightType::kInt8
                                                     : model::WeightType::kInt4;
  }
  bool bf16 =
      std::all_of(checkpoint.tensors.begin(), checkpoint.tensors.end(), [](const auto& entry) {
        return entry.second.shape.size() != 2 || entry.second.dtype == checkpoint::DType::kBF16;
      });
  return bf16 ? model::WeightType::kBf16 : model::WeightType::kF32;
}

model::WeightType weight_type(WeightFormat format, const checkpoint::Checkpoint& checkpoint) {
  switch (format) {
    case WeightFormat::kStored:
      return stored_type(checkpoint);
    case WeightFormat::kF32:
      return model::WeightType::kF32;
    case WeightFormat::kBf16:
      return model::WeightType::kBf16;
    case WeightFormat::kInt8:
      return model::WeightType::kInt8;
    case WeightFormat::kInt4:
      return model::WeightType::kInt4;
  }
  return stored_type(checkpoint);
}

}  // namespace

static_assert(kEndOfText == tokenizer::kEndOfText);

const char* finish_reason_name(FinishReason reason) {
  return reason == FinishReason::kStop ? "stop" : "length";
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;

const ModelInfo& Engine::info() const { return impl_->info; }

Result<std::unique_ptr<Engine>> Engine::load(const checkpoint::Checkpoint& checkpoint,
                                             const EngineOptions& options) {
  constexpr std::size_t kMostThreads = 1024;
  if (options.threads > kMostThreads) {
    return Error{ErrorCode::kInvalidArgument,
                 "threads: expected at most 1024, found " + std::to_string(options.threads)};
  }
  if (!options.allow_nonfinite) {
    if (auto where = checkpoint::find_nonfinite(checkpoint)) {
      return Error{ErrorCode::kCorrupt, checkpoint.path + ": " + *where +
                                            ", expected finite weights (see --allow-nonfinite)"};
    }
  }
  auto impl =
      std::make_unique<Impl>(options.threads > 0 ? options.threads : available_processors());
  CHORUS_TRY(impl->model, model::Model::load(checkpoint, weight_type(options.dtype, checkpoint),
                                             impl->team, options.progress));
  const checkpoint::Gpt2Config& config = impl->model->config();
  impl->info = {.path = checkpoint.path,
                .block_size = static_cast<std::int32_t>(config.block_size),
                .vocab_size = static_cast<std::int32_t>(config.vocab_size),
                .parameters = checkpoint.parameter_count(),
                .dtype = weight_type_name(impl->model->weight_type()),
                .instructions = impl->model->kernels().name,
                .threads = impl->team.size()};
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

std::vector<std::int32_t> Engine::encode(std::string_view text, bool special) {
  return tokenizer::Tokenizer::gpt2().encode(
      text, special ? tokenizer::Special::kRecognise : tokenizer::Special::kAsText);
}

std::string Engine::decode(std::span<const std::int32_t> ids) {
  return replace_ill_formed(tokenizer::Tokenizer::gpt2().decode(ids));
}

Result<void> Engine::Impl::check_ids(std::span<const std::int32_t> ids, const char* field) const {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < info.vocab_size) continue;
    return Error{ErrorCode::kInvalidArgument,
                 std::string(field) + "[" + std::to_string(i) + "]: expected an id from 0 to " +
                     std::to_string(info.vocab_size - 1) + " (the model's vocabulary), found " +
                     std::to_string(ids[i])};
  }
  return ok();
}

Result<void> Engine::Impl::forward(std::span<const std::int32_t> ids, std::size_t position,
                                   engine::KvSequence& sequence, std::size_t logits_from,
                                   const UseLogits& use) {
  auto vocabulary = static_cast<std::size_t>(info.vocab_size);
  // Rows whose logits are kept until the piece is done: fewer, as each is a whole vocabulary.
  std::size_t most = logits_from + 1 >= ids.size() ? kPrefillRows : kPrefillRows / 4;
  for (std::size_t begin = 0; begin < ids.size(); begin += most) {
    std::size_t count = std::min(most, ids.size() - begin);
    model::Chunk chunk{.ids = ids.subspan(begin, count),
                       .position = position + begin,
                       .pages = sequence.pages(),
                       .logits_from = std::min(count, logits_from - std::min(begin, logits_from))};
    model->forward(std::span(&chunk, 1), workspace, team);
    for (std::size_t row = chunk.logits_from; row < count; ++row) {
      const float* logits =
          workspace.logits.data() + (row - chunk.logits_from) * model->logits_stride();
      CHORUS_TRY(use(begin + row, std::span(logits, vocabulary)));
    }
  }
  return ok();
}

}  // namespace chorus
