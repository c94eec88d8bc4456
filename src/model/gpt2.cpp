#include "model/gpt2.h"

namespace chorus::model {

void gpt2(const Weights& weights, StepPhases& step) {
  step.embed();
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    const Layer& layer = weights.layers[i];
    step.normalise(layer.attention_norm, layer.attention);
    step.project_heads(layer.attention);
    step.attend(i, layer.score_scale, layer.attention_projection);
    step.add_attention(layer.attention_projection);

    step.normalise(layer.mlp_norm, layer.mlp_inner);
    step.activate(layer.mlp_inner, layer.mlp_projection);
    step.add_mlp(layer.mlp_projection);
  }
  step.logits(weights.final_norm, weights.head());
}

}  // namespace chorus::model
