#include "checkpoint/gpt2/other_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace chorus::checkpoint {
namespace {

using testing::HasSubstr;

std::string recognised(std::vector<std::string> names) {
  std::map<std::string, std::string> map;
  for (const std::string& name : names) map.emplace(name, name);
  return recognise_other_model(map).value_or("none");
}

TEST(OtherModels, AreNamedByWhatTheirTensorsAreCalled) {
  const std::pair<const char*, const char*> rows[] = {
      {"h.0.norm_1.weight", "litgpt's layout (it has tensor 'h.0.norm_1.weight')"},
      {"transformer.h.0.attn.qkv.weight", "litgpt convert_from_litgpt"},
      {"blocks.0.attn.key.weight", "minGPT before 2022"},
      {"blocks.0.sa.heads.0.key.weight", "a matrix for each head"},
      {"trf_blocks.0.att.W_query.weight", "W_query"},
      {"model.layers.0.self_attn.q_proj.weight", "a Llama"},
      {"gpt_neox.layers.0.attention.query_key_value.weight", "a GPT-NeoX"},
      {"transformer.h.0.attn.attention.q_proj.weight", "a GPT-Neo"},
      {"transformer.h.0.attn.q_proj.weight", "a GPT-J"},
      {"transformer.h.0.attn.c_q.weight", "modded-nanogpt"},
      {"bert.embeddings.word_embeddings.weight", "a BERT"},
  };
  for (auto [name, message] : rows)
    EXPECT_THAT(recognised({"wte.weight", name}), HasSubstr(message));
  EXPECT_EQ(recognised({"wte.weight", "h.0.attn.c_attn.weight"}), "none");
  EXPECT_EQ(recognised({"wte.weight", "wpe.weight", "h.0.norm_1.weight"}), "none");
}

}  // namespace
}  // namespace chorus::checkpoint
