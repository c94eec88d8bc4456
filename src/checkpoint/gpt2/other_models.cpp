#include "checkpoint/gpt2/other_models.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/printable.h"

namespace chorus::checkpoint {
namespace {

struct OtherModel {
  std::string_view mark;  // a part of a name that no other model of the list has
  const char* what;
  const char* advice;
};

constexpr const char* kExportGpt2 =
    "write its weights under the names of nanoGPT or transformers' GPT-2, queries, keys and values "
    "as one c_attn";
constexpr const char* kUseItsProgram =
    "its mathematics are not GPT-2's: use the program that it comes from";

// The first that fits counts.
constexpr OtherModel kOtherModels[] = {
    {"attn.c_q.weight", "a checkpoint of modded-nanogpt or nanochat", kUseItsProgram},
    {"attn.qkv.weight", "a checkpoint in litgpt's layout",
     "convert it with litgpt convert_from_litgpt, if it is a GPT-2"},
    {".norm_1.weight", "a checkpoint in litgpt's layout",
     "convert it with litgpt convert_from_litgpt, if it is a GPT-2"},
    {"attn.attention.q_proj.", "a GPT-Neo", kUseItsProgram},
    {"gpt_neox.", "a GPT-NeoX (Pythia)", kUseItsProgram},
    {"word_embeddings_layernorm.", "a BLOOM", kUseItsProgram},
    {"decoder.embed_positions.", "an OPT", kUseItsProgram},
    {".attn.q_proj.weight", "a GPT-J or a model of its kind", kUseItsProgram},
    {"self_attn.q_proj.", "a Llama or a model of its kind", kUseItsProgram},
    {"attention.wq.", "a Llama or a model of its kind", kUseItsProgram},
    {"embeddings.word_embeddings.", "a BERT or a model of its kind", kUseItsProgram},
    {"encoder.block.", "a T5", kUseItsProgram},
    {"mixer.in_proj.", "a Mamba", kUseItsProgram},
    {"trf_blocks.", "a checkpoint with queries, keys and values apart (W_query, W_key, W_value)",
     kExportGpt2},
    {"sa.heads.", "a checkpoint with a matrix for each head (of the lecture on nanoGPT)",
     kExportGpt2},
    {"attn.key.", "a checkpoint of minGPT before 2022, with queries, keys and values apart",
     kExportGpt2},
    {"attention.dense.", "a checkpoint in Megatron's layout", "convert it to transformers' GPT-2"},
    {"model/h0/attn", "OpenAI's original GPT-2", "give transformers' version, by name: gpt2"},
};

}  // namespace

std::optional<std::string> recognise_other_model(const std::map<std::string, std::string>& names) {
  bool has_embeddings = names.contains("wpe.weight") &&
                        (names.contains("wte.weight") || names.contains("lm_head.weight"));
  if (has_embeddings) return std::nullopt;
  for (const OtherModel& model : kOtherModels) {
    auto found = std::ranges::find_if(names, [&model](const auto& item) {
      return item.second.find(model.mark) != std::string::npos;
    });
    if (found == names.end()) continue;
    return fmt::format("not a GPT-2 as Chorus reads it, but {} (it has tensor {}): {}", model.what,
                       in_quotes(found->second), model.advice);
  }
  return std::nullopt;
}

}  // namespace chorus::checkpoint
