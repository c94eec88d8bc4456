"""Writes the small checkpoints of tests/checkpoint/data with a real PyTorch.

    /usr/bin/python3 tests/torch/make_pytorch_checkpoints.py tests/checkpoint/data

Every element of a tensor is set by fill() from the tensor's name, so that pytorch_test.cpp can say
what each must be. Written with PyTorch 1.13 and NumPy 1.24; the files are committed, and this script
is not run by the tests.
"""

import argparse
import os
import sys
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

LAYERS, HEADS, WIDTH, VOCABULARY, BLOCK = 1, 2, 4, 11, 3


@dataclass
class GPTConfig:
    block_size: int = BLOCK
    vocab_size: int = VOCABULARY
    n_layer: int = LAYERS
    n_head: int = HEADS
    n_embd: int = WIDTH


class Gpt(nn.Module):
    """The modules of a GPT-2 under the names that nanoGPT gives them; it computes nothing."""

    def __init__(self, bias):
        super().__init__()

        def norm():
            layer = nn.LayerNorm(WIDTH)
            if not bias:
                layer.bias = None
            return layer

        def block():
            attention = nn.ModuleDict(
                {"c_attn": nn.Linear(WIDTH, 3 * WIDTH, bias=bias), "c_proj": nn.Linear(WIDTH, WIDTH, bias=bias)}
            )
            mlp = nn.ModuleDict(
                {"c_fc": nn.Linear(WIDTH, 4 * WIDTH, bias=bias), "c_proj": nn.Linear(4 * WIDTH, WIDTH, bias=bias)}
            )
            return nn.ModuleDict({"ln_1": norm(), "attn": attention, "ln_2": norm(), "mlp": mlp})

        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(VOCABULARY, WIDTH),
                "wpe": nn.Embedding(BLOCK, WIDTH),
                "h": nn.ModuleList([block() for _ in range(LAYERS)]),
                "ln_f": norm(),
            }
        )
        self.lm_head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.transformer.wte.weight = self.lm_head.weight

    def fill(self):
        for name, parameter in self.named_parameters():
            parameter.data.copy_(fill(name, parameter.shape))


def fill(name, shape):
    """Small whole numbers, which f16 and bf16 hold exactly."""
    count = int(np.prod(shape))
    return ((torch.arange(count) * 7 + len(name)) % 61 - 30).float().reshape(shape)


def model(bias=True):
    result = Gpt(bias)
    result.fill()
    return result


def build_nanogpt(config):
    return {"model": model().state_dict(), "config": config, "step": 19072, "val_loss": 3.0723}


def nanogpt():
    gpt = model(bias=False)
    optimizer = torch.optim.AdamW(gpt.parameters(), lr=1e-3)
    for parameter in gpt.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    gpt.fill()
    sizes = {"n_layer": LAYERS, "n_head": HEADS, "n_embd": WIDTH, "block_size": BLOCK, "vocab_size": VOCABULARY}
    return {
        "model": OrderedDict(("_orig_mod." + name, value) for name, value in gpt.state_dict().items()),
        "optimizer": optimizer.state_dict(),
        "model_args": {**sizes, "bias": False, "dropout": 0.0},
        "iter_num": 250,
        "best_val_loss": torch.tensor(1.5),
        # The flags of the training script, which are not the model's.
        "config": {"out_dir": "out", "n_layer": 12, "n_head": 12, "n_embd": 768, "block_size": 1024, "bias": True},
    }


def views():
    base = fill("base", (6, 4))
    expanded = torch.tensor([5.0]).expand(3)
    with_attribute = fill("attribute", (2,))
    with_attribute.origin = "here"
    return {
        "rows": base[2:5],
        "transposed": base.t(),
        "column": base[:, 1],
        "expanded": expanded,
        "parameter": nn.Parameter(fill("parameter", (2, 3))),
        "attribute": with_attribute,
        "scalar": torch.tensor(2.0),
        "empty": torch.empty(0, 4),
        "half": fill("half", (3, 2)).half(),
        "brain": fill("brain", (3, 2)).bfloat16(),
        "double": fill("double", (2,)).double(),
        "mask": torch.ones(2, 2, dtype=torch.bool),
        "ids": torch.arange(3),
    }


def scalars():
    return {
        "model": {"wte.weight": fill("wte.weight", (2, 2))},
        "config": argparse.Namespace(n_layer=np.int64(1), n_head=np.int32(2), n_embd=torch.tensor(2)),
        "step": np.int64(-7),
        "val_loss": np.float32(2.5),
        "extra": [torch.Size([1, 2]), torch.float16, torch.device("cpu"), {1, 2}, frozenset([3]), b"bytes",
                  bytearray(b"more"), 1j, 2**70, -(2**40), np.zeros(2), np.float64(0.5), None, True, ("é", [])],
    }


def main():
    folder = sys.argv[1]
    torch.manual_seed(0)

    def save(name, value, **options):
        torch.save(value, os.path.join(folder, name + ".pt"), **options)

    save("build_nanogpt", build_nanogpt(GPTConfig().__dict__))
    for protocol in (2, 3, 4, 5):
        save(f"gpt_config_protocol{protocol}", build_nanogpt(GPTConfig()), pickle_protocol=protocol)
    save("nanogpt", nanogpt())
    save("state_dict_f16", model().half().state_dict())
    save("state_dict_bf16", model().bfloat16().state_dict(), pickle_protocol=4)
    save("views", views())
    for protocol in (2, 5):
        save(f"scalars_protocol{protocol}", scalars(), pickle_protocol=protocol)
    save("legacy", {"a": torch.ones(1)}, _use_new_zipfile_serialization=False)


main()
