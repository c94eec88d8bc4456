"""Each kind of checkpoint is computed as the program that made it computes: activation, heads, epsilon.

Modules are written here as nanoGPT, build-nanogpt and minGPT have theirs; their checkpoints are saved as those
programs, Lightning and others save them, with what each leaves unsaid.

usage: mathematics_parity.py CHORUS
"""

import argparse
import dataclasses
import math
import os
import random
import sys
import tempfile

from require_torch import torch  # first: ends the test where there is none
from torch import nn
from torch.nn import functional as F

import chorus_program
from chorus_program import Mismatch
from gpt2_reference import choose

SEEDS = [42, 1, 5455, 7658, 11322, 2**40 + 3]
BLOCK, VOCABULARY = 48, 211  # below every tokenizer's end of text: generation ends at the block


class NewGelu(nn.Module):
    def forward(self, x):
        return 0.5 * x * (1.0 + torch.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


ACTIVATIONS = {"gelu": nn.GELU, "gelu_new": NewGelu, "relu": nn.ReLU, "silu": nn.SiLU}


class Norm(nn.Module):
    """Layer norm with an optional bias, which nn.LayerNorm of PyTorch 1.13 does not have."""

    def __init__(self, width, bias, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None
        self.epsilon = epsilon

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


class Attention(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.heads = model.heads
        self.c_attn = nn.Linear(model.width, 3 * model.width, bias=model.bias)
        self.c_proj = nn.Linear(model.width, model.width, bias=model.bias)
        if model.masks:
            self.register_buffer("bias", torch.ones(BLOCK, BLOCK).tril()[None, None])

    def forward(self, x):
        length, width = x.shape
        q, k, v = (part.view(length, self.heads, width // self.heads).transpose(0, 1)
                   for part in self.c_attn(x).split(width, dim=1))
        scores = q @ k.transpose(1, 2) / math.sqrt(width // self.heads)
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        weights = torch.softmax(scores.masked_fill(future, -math.inf), dim=-1)
        return self.c_proj((weights @ v).transpose(0, 1).reshape(length, width))


class Mlp(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.c_fc = nn.Linear(model.width, 4 * model.width, bias=model.bias)
        self.act = ACTIVATIONS[model.activation]()
        self.c_proj = nn.Linear(4 * model.width, model.width, bias=model.bias)

    def forward(self, x):
        return self.c_proj(self.act(self.c_fc(x)))


class Block(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.ln_1 = Norm(model.width, model.bias, model.epsilon)
        self.attn = Attention(model)
        self.ln_2 = Norm(model.width, model.bias, model.epsilon)
        self.mlp = Mlp(model)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


@dataclasses.dataclass
class Model:
    """What a program's GPT is."""
    layers: int = 2
    heads: int = 4
    width: int = 64
    activation: str = "gelu"
    bias: bool = True
    epsilon: float = 1e-5
    tied: bool = True
    masks: bool = False  # the causal mask among the saved tensors


class Gpt(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.transformer = nn.ModuleDict({
            "wte": nn.Embedding(VOCABULARY, model.width),
            "wpe": nn.Embedding(BLOCK, model.width),
            "h": nn.ModuleList([Block(model) for _ in range(model.layers)]),
            "ln_f": Norm(model.width, model.bias, model.epsilon),
        })
        self.lm_head = nn.Linear(model.width, VOCABULARY, bias=False)
        if model.tied:
            self.lm_head.weight = self.transformer["wte"].weight
        # Large enough that the activations' difference shows in the text.
        for name, parameter in self.named_parameters():
            if name.endswith("weight") and parameter.dim() == 2:
                nn.init.normal_(parameter, std=2.0 / math.sqrt(model.width))
            elif name.endswith("bias"):
                nn.init.normal_(parameter, std=0.2)

    def forward(self, ids):
        x = self.transformer["wte"](ids) + self.transformer["wpe"](torch.arange(len(ids)))
        for block in self.transformer["h"]:
            x = block(x)
        return self.lm_head(self.transformer["ln_f"](x))

    @torch.no_grad()
    def logprobs(self, ids):
        rows = torch.log_softmax(self(torch.tensor(ids)).double(), dim=-1)
        return [rows[i, ids[i + 1]].item() for i in range(len(ids) - 1)]

    @torch.no_grad()
    def generate(self, prompt, seed):
        """Softmax and multinomial over the whole vocabulary, in which all programs' loops agree."""
        generator = torch.Generator().manual_seed(seed)
        ids, first_near = list(prompt), None
        while len(ids) < BLOCK:
            probabilities = torch.softmax(self(torch.tensor(ids))[-1:], dim=-1)
            token, near = choose(probabilities, 0, generator)
            if near and first_near is None:
                first_near = len(ids)
            ids.append(token)
        return ids, "length", first_near


class GPTConfig:
    """A config object, as build-nanogpt pickles its own."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


GPTConfig.__module__ = "__main__"


def sizes(model, **names):
    """The model's sizes, under GPT-2's names or others."""
    values = {"block_size": BLOCK, "vocab_size": VOCABULARY, "n_layer": model.layers,
              "n_head": model.heads, "n_embd": model.width}
    return {names.get(name, name): value for name, value in values.items()}


OTHER_NAMES = {"block_size": "context_length", "n_layer": "n_layers", "n_head": "num_attention_heads",
               "n_embd": "emb_dim"}


@dataclasses.dataclass
class Case:
    name: str
    model: Model
    save: object  # (module, model) -> what torch.save gets
    notes: tuple = ()  # what standard error must say
    options: tuple = ()


def nanogpt(gpt, model):
    return {"model": gpt.state_dict(), "model_args": {**sizes(model), "bias": model.bias, "dropout": 0.0},
            "iter_num": 5, "best_val_loss": torch.tensor(1.5),
            "config": {"n_head": 12, "learning_rate": 6e-4, "dataset": "owt", "compile": True}}


def state_dict(gpt, model):
    return gpt.state_dict()


def config(make, **extra):
    return lambda gpt, model: {"model": gpt.state_dict(), "config": make(**sizes(model), **extra)}


def lightning(make):
    return lambda gpt, model: {
        "state_dict": gpt.state_dict(), "hyper_parameters": make(model), "epoch": 3,
        "global_step": 100, "pytorch-lightning_version": "2.1.0"}


TANH = Model(activation="gelu_new")
SAYS_ERF = ("activation_function is not stated: gelu (erf)",)
SAYS_TANH = ("activation_function is not stated: gelu_new (tanh)",)

CASES = [
    Case("nanoGPT", Model(), nanogpt, SAYS_ERF),
    Case("nanoGPT without biases", Model(bias=False, heads=3, width=48), nanogpt, SAYS_ERF),
    Case("nanoGPT before June 2023", TANH, nanogpt, options=("--activation", "gelu_new")),
    Case("build-nanogpt, a dict", TANH, config(dict), SAYS_TANH),
    Case("build-nanogpt, an object", TANH, config(GPTConfig), SAYS_TANH),
    Case("build-nanogpt, a namespace", TANH, config(argparse.Namespace), SAYS_TANH),
    Case("minGPT's gpt-mini", Model(layers=6, heads=6, width=192, activation="gelu_new", tied=False,
                                    masks=True),
         state_dict, ("6 heads of 32 channels are assumed", "gelu_new (tanh) is assumed")),
    Case("minGPT's gpt-nano", Model(layers=3, heads=3, width=48, activation="gelu_new", tied=False,
                                    masks=True), state_dict, ("3 heads of 16 channels are assumed",)),
    Case("a bare state_dict of nanoGPT", Model(heads=1), state_dict, ("1 heads of 64",),
         ("--activation", "gelu")),
    Case("Lightning, other names", TANH, lightning(lambda model: sizes(model, **OTHER_NAMES)),
         ("gelu_new (tanh) is assumed",)),
    Case("Lightning, a config in a dict, relu",
         Model(activation="relu", epsilon=1e-3),
         lightning(lambda model: {"learning_rate": 1e-3, "config": GPTConfig(
             **sizes(model), activation="relu", layer_norm_eps=1e-3)})),
    Case("a function as the activation", Model(), config(dict, act_fn=F.gelu)),
    Case("a class as the activation", Model(activation="relu"), config(GPTConfig, act_layer=nn.ReLU)),
    Case("a module as the activation", Model(), config(dict, activation=nn.GELU())),
    Case("gelu and approximate", TANH, config(dict, activation="gelu", approximate="tanh")),
    Case("a flag", Model(activation="relu"), config(dict, use_relu=True)),
    Case("head size instead of heads", TANH,
         lambda gpt, model: {"model": gpt.state_dict(),
                             "config": {**{k: v for k, v in sizes(model).items() if k != "n_head"},
                                        "head_dim": model.width // model.heads}}, SAYS_TANH),
    Case("a field that is not known", TANH, config(dict, flux=3, idle=False),
         ("config.flux = 3",)),
]


def check_notes(place, said, case):
    for note in case.notes:
        if note not in said:
            raise Mismatch(f"{place}: standard error does not say {note!r}: {said!r}")
    if not case.notes and "note: activation" in said:
        raise Mismatch(f"{place}: a note that is not due: {said!r}")


def check_case(chorus, number, case, folder):
    torch.manual_seed(number)
    rng = random.Random(number)
    gpt = Gpt(case.model)
    path = os.path.join(folder, f"{number}.pt")
    torch.save(case.save(gpt, case.model), path)
    ids = [rng.randrange(VOCABULARY) for _ in range(BLOCK)]
    prompts = [[rng.randrange(VOCABULARY) for _ in range(rng.randint(1, 9))] for _ in SEEDS]
    requests = [{"prompt_ids": prompt, "max_length": BLOCK, "top_k": 0, "seed": seed}
                for prompt, seed in zip(prompts, SEEDS)]
    references = [gpt.generate(prompt, seed) for prompt, seed in zip(prompts, SEEDS)]
    converted = os.path.join(folder, f"{number}.safetensors")
    notes = chorus_program.messages(chorus, "convert", path, converted, *case.options)
    check_notes(case.name, notes, case)
    # What is converted states everything, tells what had been assumed, and is the same without options.
    said = chorus_program.messages(chorus, "inspect", converted)
    was_assumed = "activation_function is not stated: gelu_new (tanh) is assumed" in notes
    if was_assumed != ("activation_function was not stated when the file was made" in said) or "is not stated:" in said:
        raise Mismatch(f"{case.name}: converting says {notes!r}, and the converted file {said!r}")
    compared, largest = 0, 0.0
    expected = gpt.logprobs(ids)
    for file, options in ((path, case.options), (converted, ())):
        place = f"{case.name}: {os.path.basename(file)}"
        results = chorus_program.generate(chorus, file, requests, "--dtype", "f32", *options)
        compared += sum(chorus_program.check_generation(place, request, result, *reference)
                        for request, result, reference in zip(requests, results, references))
        result = chorus_program.score(chorus, file, ids, "--dtype", "f32", *options)
        largest = max(largest, chorus_program.check_scores(place, result, ids, expected))
    print(f"{case.name}: {compared} tokens equal, logprobs within {largest:.1e}", flush=True)
    return compared


REFUSED = [
    ({"use_rope": True}, "config.use_rope is true: it asks for rotary positions"),
    ({"activation": "silu"}, "config.activation is 'silu'; expected gelu_new"),
    ({"act": nn.SiLU()}, "SiLU; expected gelu_new"),
    ({"norm": "rmsnorm"}, "config.norm is 'rmsnorm': it asks for"),
    ({"kv_heads": 2}, "config.kv_heads is 2, and n_head 4"),
    ({"num_heads": 8}, "config.n_head and config.num_heads are two names of one thing"),
]


class Lazy:
    """A tensor as PyTorch 2 saves a view that negates (PyTorch 1.13 forgets to say so)."""

    def __init__(self, tensor, bit):
        self.tensor, self.bit = tensor.detach(), bit

    def __reduce__(self):
        rebuild, arguments = self.tensor.__reduce_ex__(2)
        return rebuild, (*arguments[:6], {self.bit: True})


def with_tensors(**tensors):
    """The model with other tensors in the first layer's attention."""
    def save(gpt, model):
        state = gpt.state_dict()
        for name, tensor in tensors.items():
            state["transformer.h.0.attn." + name.replace("_weight", ".weight")] = tensor
        return {"model": state, "config": sizes(model)}
    return save


TRIL = torch.ones(BLOCK, BLOCK).tril()
REFUSED_TENSORS = [
    ({"c_proj_weight": Lazy(torch.ones(64, 64), "neg")}, "a view that negates or conjugates"),
    ({"bias": torch.ones(1, 1, BLOCK, BLOCK)}, "other than the causal one"),
    ({"bias": TRIL.triu(-8).bool()}, "other than the causal one"),
    ({"bias": TRIL.triu(-8).to(torch.uint8)[None, None]}, "other than the causal one"),
    ({"mask": TRIL.t().contiguous().double()}, "other than the causal one"),
    ({"masked_bias": torch.tensor(-1.0)}, "would still be seen"),
]
TAKEN_TENSORS = [
    {"c_proj_bias": Lazy(torch.ones(64), "other")},
    {"bias": TRIL[None, None], "masked_bias": torch.tensor(-1e4)},
    {"bias": TRIL.bool()}, {"bias": TRIL.t().contiguous().t()}, {"mask": TRIL.t().triu(1) == 1},
    {"mask": torch.full((BLOCK, BLOCK), -math.inf).triu(1)}, {"tril": TRIL.to(torch.uint8)},
]


def check_refusals(chorus, folder):
    gpt = Gpt(TANH)
    path = os.path.join(folder, "refused.pt")
    saved = [(config(dict, **fields), fields, message) for fields, message in REFUSED]
    saved += [(with_tensors(**tensors), list(tensors), message) for tensors, message in REFUSED_TENSORS]
    for save, what, message in saved:
        torch.save(save(gpt, TANH), path)
        said = chorus_program.messages(chorus, "score", "--ids", "1,2", "--model", path, status=1)
        if message not in said:
            raise Mismatch(f"{what}: expected {message!r}, found {said!r}")
    for tensors in TAKEN_TENSORS:
        tensors = {name.replace("_bias", ".bias") if name.startswith("c_") else name: tensor
                   for name, tensor in tensors.items()}
        torch.save(with_tensors(**tensors)(gpt, TANH), path)
        chorus_program.messages(chorus, "score", "--ids", "1,2", "--model", path)


def main():
    chorus = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        total = sum(check_case(chorus, number, case, folder) for number, case in enumerate(CASES))
        check_refusals(chorus, folder)
    if total < 5000:
        raise Mismatch(f"only {total} tokens were compared")
    print(f"{total} tokens equal to PyTorch {torch.__version__}'s")


chorus_program.report(main)
