"""The reference that Chorus is compared with: GPT-2 in plain PyTorch, and the talk's generation loop.

Not fast and not general: one sequence, one thread, float32, no KV cache. Deterministic.

Dimensions: V vocab_size, T block_size, C n_embd, H n_head, L n_layer, F n_inner.
"""

import dataclasses
import math

import torch
import torch.nn.functional as F

STOP_TOKEN = 50256

# Two programs that compute logits in float32, in different orders, differ by rounding. A choice is
# called near when a relative difference of this size in a probability could change it.
NEAR = 5e-5

EMBEDDING_NORM = 1.8  # of random rows: logits spread by about this much


@dataclasses.dataclass
class Config:
    block_size: int
    vocab_size: int
    n_layer: int
    n_head: int
    n_embd: int
    n_inner: int = 0  # 0: 4 * n_embd
    activation: str = "gelu_new"  # gelu_new (tanh), gelu (erf) or relu
    layer_norm_epsilon: float = 1e-5
    bias: bool = True
    tied: bool = True
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False

    def __post_init__(self):
        self.n_inner = self.n_inner or 4 * self.n_embd


ACTIVATIONS = {
    "gelu_new": lambda x: 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3))),
    "gelu": F.gelu,
    "relu": F.relu,
}


def random_weights(config, seed, padding_from=None, stop_logit=None):
    """A state dict whose distributions are peaked enough to tell right from wrong.

    Names are Hugging Face's without "transformer."; matrices are [outputs, inputs]. Rows of the vocabulary
    from `padding_from` on are zero. With `stop_logit`, the stop token's logit is about that.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape, std):
        return torch.randn(*shape, generator=generator) * std

    c, f = config.n_embd, config.n_inner
    state = {
        "wte.weight": normal(config.vocab_size, c, std=EMBEDDING_NORM / math.sqrt(c)),
        "wpe.weight": normal(config.block_size, c, std=1.0),
    }

    def linear(name, outputs, inputs):
        state[name + ".weight"] = normal(outputs, inputs, std=1.5 / math.sqrt(inputs))
        if config.bias:
            state[name + ".bias"] = normal(outputs, std=0.1)

    def norm(name):
        state[name + ".weight"] = 1.0 + normal(c, std=0.1)
        if config.bias:
            state[name + ".bias"] = normal(c, std=0.1)

    for i in range(config.n_layer):
        norm(f"h.{i}.ln_1")
        linear(f"h.{i}.attn.c_attn", 3 * c, c)
        linear(f"h.{i}.attn.c_proj", c, c)
        norm(f"h.{i}.ln_2")
        linear(f"h.{i}.mlp.c_fc", f, c)
        linear(f"h.{i}.mlp.c_proj", c, f)
    norm("ln_f")
    head = "wte.weight"
    if not config.tied:
        head = "lm_head.weight"
        state[head] = normal(config.vocab_size, c, std=EMBEDDING_NORM / math.sqrt(c))
    if stop_logit is not None:
        direction = state["ln_f.bias"] = normal(c, std=0.5)
        state[head][STOP_TOKEN] = direction * (stop_logit / direction.dot(direction))
    if padding_from is not None:
        state[head][padding_from:] = 0.0
    return state


class Gpt2:
    """The forward pass. `state` may hold any floating dtype: it is widened to float32."""

    def __init__(self, config, state):
        self.config = config
        self.state = {name: tensor.float() for name, tensor in state.items()}

    def linear(self, x, name):
        return F.linear(x, self.state[name + ".weight"], self.state.get(name + ".bias"))

    def norm(self, x, name):
        return F.layer_norm(x, (self.config.n_embd,), self.state[name + ".weight"],
                            self.state.get(name + ".bias"), self.config.layer_norm_epsilon)

    def attention(self, x, layer):
        config, (t, c) = self.config, x.shape
        head_size = c // config.n_head
        q, k, v = (part.view(t, config.n_head, head_size).transpose(0, 1)
                   for part in self.linear(x, f"h.{layer}.attn.c_attn").split(c, dim=1))
        scores = q @ k.transpose(1, 2)
        if config.scale_attn_weights:
            scores = scores / math.sqrt(head_size)
        if config.scale_attn_by_inverse_layer_idx:
            scores = scores / (layer + 1)
        future = torch.ones(t, t, dtype=torch.bool).triu(1)
        weights = torch.softmax(scores.masked_fill(future, -math.inf), dim=-1)
        return self.linear((weights @ v).transpose(0, 1).reshape(t, c), f"h.{layer}.attn.c_proj")

    def logits(self, ids, last_only=False):
        """[T, V], or [1, V] for the last position."""
        x = self.state["wte.weight"][ids] + self.state["wpe.weight"][:len(ids)]
        for i in range(self.config.n_layer):
            x = x + self.attention(self.norm(x, f"h.{i}.ln_1"), i)
            hidden = self.linear(self.norm(x, f"h.{i}.ln_2"), f"h.{i}.mlp.c_fc")
            x = x + self.linear(ACTIVATIONS[self.config.activation](hidden), f"h.{i}.mlp.c_proj")
        x = self.norm(x[-1:] if last_only else x, "ln_f")
        return x @ self.state["wte.weight" if self.config.tied else "lm_head.weight"].t()

    @torch.no_grad()
    def logprobs(self, ids):
        """Natural log of the probability of each id after the first, given those before it."""
        rows = torch.log_softmax(self.logits(ids).double(), dim=-1)
        return [rows[i, ids[i + 1]].item() for i in range(len(ids) - 1)]

    @torch.no_grad()
    def generate(self, prompt_ids, max_length, top_k, seed):
        """The talk's loop: softmax, topk, multinomial; stops at <|endoftext|> or at max_length tokens.

        Returns (ids of prompt and result, finish reason, position of the first near choice or None).
        """
        generator = torch.Generator().manual_seed(seed)
        ids, first_near = list(prompt_ids), None
        while len(ids) < max_length:
            probabilities = torch.softmax(self.logits(ids, last_only=True), dim=-1)
            token, near = choose(probabilities, min(top_k, self.config.vocab_size), generator)
            if near and first_near is None:
                first_near = len(ids)
            ids.append(token)
            if token == STOP_TOKEN:
                return ids, "stop", first_near
        return ids, "length", first_near


def choose(probabilities, k, generator):
    """One token by torch.topk and torch.multinomial, and whether rounding could have changed it.

    With k 0 by torch.multinomial alone, over the whole vocabulary in order of id.
    """
    if k == 0:
        values, indices = probabilities, torch.arange(probabilities.shape[1])[None]
    else:
        values, indices = torch.topk(probabilities, k, dim=-1)
    same_state = torch.Generator()
    same_state.set_state(generator.get_state())
    position = torch.multinomial(values, 1, generator=generator).item()

    ratios = values[0] / torch.empty(values.shape[1]).exponential_(generator=same_state)
    assert ratios.argmax().item() == position, "torch.multinomial is not argmax(p / q) here"
    others = torch.cat([ratios[:position], ratios[position + 1:]])
    near = k != 1 and (others.max() > ratios[position] * (1 - NEAR)).item()
    if k == 0:
        return position, near
    # Candidates of nearly one probability may change places, and so draws.
    ranked = values[0]
    if position == k - 1 and k < probabilities.shape[1]:
        ranked = torch.topk(probabilities, k + 1, dim=-1).values[0]
    for a, b in ((position - 1, position), (position, position + 1)):
        if a >= 0 and b < len(ranked):
            near = near or (ranked[b] > ranked[a] * (1 - NEAR)).item()
    return indices[0, position].item(), near
