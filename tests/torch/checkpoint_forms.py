"""One model in each of the forms in which people have it: the same tokens and log-probabilities.

usage: checkpoint_forms.py CHORUS

The forms are written with PyTorch as the programs named here write them. For each of them six seeds are
compared token for token, and the log-probabilities of a text.
"""

import argparse
import collections
import datetime
import enum
import json
import os
import pathlib
import random
import sys
import tempfile
import zipfile

from require_torch import torch  # first: ends the test where there is none
import checkpoint_files as files
import chorus_program
from chorus_program import Mismatch
from gpt2_reference import Config, Gpt2, random_weights

CONFIG = Config(48, 333, 3, 4, 36)
SEEDS = (42, 1, 7, 123456789, 4294967301, 99)


class ModelConfig:
    """A training script's own class, which Chorus never sees."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


class Mode(enum.Enum):
    TRAIN = "train"


ModelConfig.__module__ = Mode.__module__ = "__main__"


def fields():
    return files.shape_fields(CONFIG)


def conv1d(named):
    return {name: tensor.t().contiguous() if name.endswith(files.CONV1D) else tensor
            for name, tensor in named.items()}


def renamed(named, rename):
    return {rename(name): tensor for name, tensor in named.items()}


def in_blocks(wrapper):
    """The wrapper around each block: behind "h.3"."""
    def rename(name):
        parts = name.split(".")
        if "h" in parts:
            parts.insert(parts.index("h") + 2, wrapper)
        return ".".join(parts)
    return rename


def lightning(path, named):
    torch.save({"epoch": 3, "global_step": 500, "pytorch-lightning_version": "1.9.0",
                "state_dict": renamed(named, lambda name: "model." + name), "loops": {}, "callbacks": {},
                "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": []}],
                "lr_schedulers": [], "hyper_parameters": {"lr": 1e-3, "betas": (0.9, 0.95)}}, path)


def fsdp(path, named):
    rename = in_blocks("_fsdp_wrapped_module._checkpoint_wrapped_module")
    torch.save({"model": renamed(named, lambda name: "_fsdp_wrapped_module." + rename(name)),
                "config": fields()}, path)


def deepspeed(path, named):
    torch.save({"module": renamed(named, lambda name: "module." + name), "buffer_names": [],
                "optimizer": None, "lr_scheduler": None, "sparse_tensor_module_names": set(),
                "skipped_steps": 0, "global_steps": 100, "dp_world_size": 8, "mp_world_size": 1,
                "ds_config": {"train_batch_size": 8}, "ds_version": "0.9.2"}, path)


def compiled_blocks(path, named):
    torch.save({"model": renamed(named, in_blocks("_orig_mod")), "config": fields()}, path)


def reinforced(path, named):
    """trl: the model under pretrained_model, and a value head."""
    named = renamed(conv1d(named), lambda name: "pretrained_model." + name)
    torch.save({**named, "v_head.summary.weight": torch.randn(1, CONFIG.n_embd),
                "v_head.summary.bias": torch.zeros(1)}, path)


def without_some_biases(path, named):
    """Linear layers of bias=False beside nn.LayerNorm; the model's own biases are 0 there."""
    torch.save({"model": {name: tensor for name, tensor in named.items() if not name.endswith(LINEAR_BIASES)},
                "config": fields()}, path)


LINEAR_BIASES = ("c_attn.bias", "c_proj.bias", "c_fc.bias")


def averaged(path, named):
    """An exponential average beside the weights, under names of its own and as a dict of its own."""
    other = {name: tensor + 1 for name, tensor in named.items()}
    torch.save({"model": {**renamed(named, lambda name: "net." + name),
                          **renamed(other, lambda name: "net_ema." + name)},
                "ema": other, "config": fields()}, path)


def legacy(path, named):
    torch.save({"model": named, "config": fields(), "step": 12}, path,
               _use_new_zipfile_serialization=False)


def legacy_views(path, named):
    """All weights as views of one storage, at their offsets, some of them transposed."""
    flat = torch.cat([tensor.t().reshape(-1) if tensor.dim() == 2 else tensor.reshape(-1)
                      for name, tensor in named.items()])
    views, offset = {}, 0
    for name, tensor in named.items():
        part = flat[offset:offset + tensor.numel()]
        views[name] = part.view(tensor.shape[::-1]).t() if tensor.dim() == 2 else part
        offset += tensor.numel()
    torch.save({"model": views, "config": fields()}, path, _use_new_zipfile_serialization=False)


def hugging_face_layout(path, named):
    torch.save({"epoch": 1, "model_state_dict": conv1d(named)}, path)


def hugging_face_bare(path, named):
    torch.save(conv1d(named), path)


def sharded_bin(path, named):
    """save_pretrained(safe_serialization=False, max_shard_size=...)."""
    files.save_hugging_face(path, CONFIG, random_weights(CONFIG, 1))
    os.remove(os.path.join(path, "model.safetensors"))
    named, weight_map = conv1d(named), {}
    names = list(named)
    for shard in range(3):
        file = f"pytorch_model-{shard + 1:05}-of-00003.bin"
        part = {name: named[name] for name in names[shard::3]}
        torch.save(part, os.path.join(path, file), _use_new_zipfile_serialization=shard != 1)
        weight_map.update({name: file for name in part})
    with open(os.path.join(path, "pytorch_model.bin.index.json"), "w") as file:
        json.dump({"metadata": {"total_size": 1}, "weight_map": weight_map}, file)


def doubles(path, named):
    torch.save({"model": {name: tensor.double() for name, tensor in named.items()},
                "config": fields()}, path)


def some_doubles(path, named):
    torch.save({"model": {name: tensor.double() if i % 3 == 0 else tensor
                          for i, (name, tensor) in enumerate(named.items())},
                "config": fields()}, path)


def packed_anew(compression, trailer=b"", in_front=b""):
    def save(path, named):
        torch.save({"model": named, "config": fields()}, path + ".whole")
        with zipfile.ZipFile(path + ".whole") as whole, open(path, "wb") as file:
            file.write(in_front)
            with zipfile.ZipFile(file, "w", compression, allowZip64=True) as packed:
                for member in whole.namelist():
                    with packed.open(member, "w", force_zip64=True) as out:
                        out.write(whole.read(member))
            file.write(trailer)
    return save


def only_the_head(path, named):
    """Tied weights once, under the name that comes first: safetensors' save_model does so."""
    named = {name: tensor for name, tensor in named.items() if not name.endswith("wte.weight")}
    torch.save({"model": renamed(named, lambda name: "module." + name), "config": fields()}, path)


def foreign_objects(path, named):
    import __main__
    __main__.ModelConfig, __main__.Mode = ModelConfig, Mode
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    optimizer.step()
    import numpy
    torch.save({"model": named, "config": ModelConfig(**fields(), out=pathlib.PosixPath("/tmp/out")),
                "args": argparse.Namespace(lr=0.1, when=datetime.datetime(2024, 1, 2)),
                "mode": Mode.TRAIN, "history": collections.deque([1.0, 2.0], maxlen=5),
                "counts": collections.Counter("abc"), "optimizer": optimizer.state_dict(),
                "rng": torch.get_rng_state(), "numpy_rng": numpy.random.get_state(),
                "python_rng": random.getstate(), "best": numpy.float32(1.5), "dtype": torch.float32,
                "device": torch.device("cpu"), "size": torch.Size([1, 2]), "delta": datetime.timedelta(1),
                "objects": numpy.array([None, {}], dtype=object), "complex": 1j,
                "sets": {frozenset([1]), frozenset([2])}, "activation": torch.nn.functional.gelu}, path)


def dict_for_each_module(path, named):
    nested = {}
    for name, tensor in named.items():
        *modules, last = name.split(".")
        place = nested
        for module in modules:
            place = place.setdefault(module, {})
        place[last] = tensor
    torch.save({"weights": nested, "model_config": None}, path)


HEADS = ("--n-head", str(CONFIG.n_head))
FORMS = [
    ("Lightning", lightning, "a.ckpt", HEADS),
    ("FSDP, with activation checkpointing", fsdp, "b.pt", ()),
    ("DeepSpeed", deepspeed, "c.pt", HEADS),
    ("torch.compile of each block", compiled_blocks, "d.pt", ()),
    ("trl, with a value head", reinforced, "e.bin", HEADS),
    ("averages beside the weights", averaged, "f.pt", ()),
    ("the format before 1.6", legacy, "g.pt", ()),
    ("the format before 1.6, views of one storage", legacy_views, "h.pt", ()),
    ("Hugging Face's layout under a key", hugging_face_layout, "i.pt", HEADS),
    ("Hugging Face's layout, bare", hugging_face_bare, "j.bin", HEADS),
    ("shards of torch.save", sharded_bin, "k", ()),
    ("f64", doubles, "l.pt", ()),
    ("f64 among f32", some_doubles, "m.pt", ()),
    ("deflated", packed_anew(zipfile.ZIP_DEFLATED), "n.pt", ()),
    ("stored anew, zip64, bytes behind", packed_anew(zipfile.ZIP_STORED, trailer=bytes(70000)), "o.pt", ()),
    ("deflated, bytes in front", packed_anew(zipfile.ZIP_DEFLATED, in_front=b"#!front\n"), "p.pt", ()),
    ("tied weights under the head's name", only_the_head, "q.pt", ()),
    ("objects of foreign classes", foreign_objects, "r.pt", ()),
    ("a dict for each module", dict_for_each_module, "s.pt", HEADS),
    ("biases of norms alone", without_some_biases, "t.pt", ()),
]


def signed(seed):
    return seed - 2**64 if seed >= 2**63 else seed


def check_form(chorus, number, form, folder):
    name, save, file, options = form
    rng = random.Random(number)
    path = os.path.join(folder, file)
    state = random_weights(CONFIG, number)
    if save is without_some_biases:
        state = {name: torch.zeros_like(tensor) if name.endswith(LINEAR_BIASES) else tensor
                 for name, tensor in state.items()}
    save(path, files.torch_state(state))
    model = Gpt2(CONFIG, state)
    requests = [{"prompt_ids": [rng.randrange(CONFIG.vocab_size) for _ in range(4)],
                 "max_length": CONFIG.block_size, "top_k": (50, 5, 200)[i % 3], "seed": seed,
                 "loop": "talk"}
                for i, seed in enumerate(SEEDS)]
    results = chorus_program.generate(chorus, path, requests, *options)
    compared = 0
    for request, result in zip(requests, results):
        reference = model.generate(request["prompt_ids"], request["max_length"], request["top_k"],
                                   signed(request["seed"]))
        compared += chorus_program.check_generation(name, request, result, *reference)
    ids = [rng.randrange(CONFIG.vocab_size) for _ in range(CONFIG.block_size)]
    largest = chorus_program.check_scores(name, chorus_program.score(chorus, path, ids, *options), ids,
                                          model.logprobs(ids))
    print(f"{name}: {compared} tokens equal, logprobs within {largest:.1e}", flush=True)
    return compared


def main():
    chorus = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        total = sum(check_form(chorus, number, form, folder) for number, form in enumerate(FORMS))
    if total < 200 * len(FORMS):
        raise Mismatch(f"only {total} tokens were compared")
    print(f"{total} tokens equal to PyTorch {torch.__version__}'s")


chorus_program.report(main)
