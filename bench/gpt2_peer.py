"""GPT-2 in plain PyTorch, as the peer of measurements: the talk's generation, which runs the whole
text again for every token, and the same with a KV cache, of one sequence or a batch of equal lengths. No
other libraries.

Dimensions: B sequences, V vocab_size, T block_size, C n_embd, H n_head, HS head size.
"""

import math

import torch
import torch.nn.functional as F

# PyTorch 2's fused attention where there is one.
FUSED_ATTENTION = getattr(F, "scaled_dot_product_attention", None)


def attention(q, k, v, causal):
    """[B, H, rows, HS] over [B, H, positions, HS]."""
    if FUSED_ATTENTION is not None:
        return FUSED_ATTENTION(q, k, v, is_causal=causal)
    scores = q @ k.transpose(-2, -1) * (1.0 / math.sqrt(q.shape[-1]))
    if causal:
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, -math.inf)
    return torch.softmax(scores, dim=-1) @ v


def forms_of_attention():
    """Sets what attention() does to each form that there is, one after the other: builds of PyTorch differ in
    which is faster, and what counts is the better."""
    global FUSED_ATTENTION
    fused = FUSED_ATTENTION
    for FUSED_ATTENTION in dict.fromkeys([None, fused]):
        yield


class Gpt2Peer:
    def __init__(self, checkpoint, dtype=torch.float32):
        config = checkpoint["config"]
        self.n_layer, self.n_head, self.n_embd = (config[name]
                                                  for name in ("n_layer", "n_head", "n_embd"))
        self.block_size = config["block_size"]
        prefix = "transformer."
        state = {name.removeprefix("_orig_mod.").removeprefix(prefix): tensor.to(dtype)
                 for name, tensor in checkpoint["model"].items() if not name.endswith(".attn.bias")}
        self.wte, self.wpe = state["wte.weight"], state["wpe.weight"]
        self.head = state["lm_head.weight"] if "lm_head.weight" in state else self.wte
        self.layers = [self.parameters_of(state, f"h.{i}.") for i in range(self.n_layer)]
        self.final_norm = (state["ln_f.weight"], state["ln_f.bias"])
        self.cache = None

    @staticmethod
    def parameters_of(state, prefix):
        names = ("ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj")
        return [(state[f"{prefix}{name}.weight"], state[f"{prefix}{name}.bias"]) for name in names]

    def start_cache(self, sequences=1):
        shape = (self.n_layer, 2, sequences, self.n_head, self.block_size, self.n_embd // self.n_head)
        self.cache = torch.empty(shape, dtype=self.wte.dtype)

    def weight_bytes(self):
        """Of the matrices that every token reads: all but positions and the embedding's other rows."""
        elements = self.head.numel() + sum(weight.numel() for layer in self.layers
                                           for weight, _ in layer if weight.dim() == 2)
        return elements * self.wte.element_size()

    def forward(self, ids, position=0, last_only=True):
        """Logits [B, 1 or rows, V] of `ids` [B, rows]; with a cache, those before `position` are in it."""
        (sequences, rows), c = ids.shape, self.n_embd
        x = self.wte[ids] + self.wpe[position:position + rows]
        for i, (ln_1, c_attn, c_proj, ln_2, c_fc, mlp_proj) in enumerate(self.layers):
            qkv = F.linear(F.layer_norm(x, (c,), *ln_1), *c_attn)
            q, k, v = qkv.view(sequences, rows, 3, self.n_head, -1).permute(2, 0, 3, 1, 4)
            if self.cache is not None:
                keys, values = self.cache[i]
                keys[:, :, position:position + rows] = k
                values[:, :, position:position + rows] = v
                k, v = keys[:, :, :position + rows], values[:, :, :position + rows]
            y = attention(q, k, v, causal=rows > 1).transpose(1, 2).reshape(sequences, rows, c)
            x = x + F.linear(y, *c_proj)
            hidden = F.linear(F.layer_norm(x, (c,), *ln_2), *c_fc)
            x = x + F.linear(F.gelu(hidden, approximate="tanh"), *mlp_proj)
        x = F.layer_norm(x[:, -1:] if last_only else x, (c,), *self.final_norm)
        return F.linear(x, self.head)

    @torch.inference_mode()
    def generate(self, prompt_ids, max_length, top_k, seed, use_cache):
        """The talk's loop, which asks for the logits of every row and uses the last; with a cache,
        each token is run once, and only the last row goes through the head."""
        generator = torch.Generator().manual_seed(seed)
        ids = torch.tensor(prompt_ids)
        self.cache = None
        if use_cache:
            self.start_cache()
        done = 0
        while len(ids) < max_length:
            if use_cache:
                logits = self.forward(ids[None, done:], done)[0]
                done = len(ids)
            else:
                logits = self.forward(ids[None], last_only=False)[0, -1:]
            probabilities = torch.softmax(logits.float(), dim=-1)
            values, indices = torch.topk(probabilities, top_k, dim=-1)
            choice = torch.multinomial(values, 1, generator=generator)
            ids = torch.cat([ids, indices[0, choice[0]]])
        return ids.tolist()

    @torch.inference_mode()
    def first_token(self, prompt_ids):
        """The likeliest token after the prompt: one forward, the last row through the head."""
        self.start_cache()
        return self.forward(torch.tensor([prompt_ids])).argmax().item()

    @torch.inference_mode()
    def generate_batch(self, prompts, new_tokens, top_k, seed):
        """As generate() with a cache, for `prompts` of one length; yields when each step has its tokens."""
        generator = torch.Generator().manual_seed(seed)
        ids = torch.tensor(prompts)
        self.start_cache(len(prompts))
        done = 0
        for _ in range(new_tokens):
            logits = self.forward(ids[:, done:], done)[:, -1]
            done = ids.shape[1]
            values, indices = torch.topk(torch.softmax(logits.float(), dim=-1), top_k, dim=-1)
            choice = torch.multinomial(values, 1, generator=generator)
            ids = torch.cat([ids, indices.gather(1, choice)], dim=1)
            yield
