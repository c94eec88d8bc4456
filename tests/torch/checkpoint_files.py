"""Writes one state dict in each of the forms in which GPT-2 checkpoints are found.

State dicts are those of gpt2_reference.random_weights.
"""

import json
import os
import struct

import torch

CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")


class GPTConfig:
    """build-nanogpt pickles its config as an object of a class of this name."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


GPTConfig.__module__ = "__main__"


def shape_fields(config):
    return {name: getattr(config, name)
            for name in ("block_size", "vocab_size", "n_layer", "n_head", "n_embd")}


def torch_state(state, prefix=""):
    """The keys as nn.Module.state_dict() has them; a tied head is the very tensor of wte."""
    named = {prefix + ("" if name.startswith("lm_head") else "transformer.") + name: tensor
             for name, tensor in state.items()}
    named.setdefault(prefix + "lm_head.weight", named[prefix + "transformer.wte.weight"])
    return named


def with_old_buffers(named, config):
    """What older implementations also kept: the causal mask and its fill value."""
    for i in range(config.n_layer):
        mask = torch.ones(config.block_size, config.block_size).tril()
        named[f"transformer.h.{i}.attn.bias"] = mask[None, None]
        named[f"transformer.h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
    return named


def save_build_nanogpt(path, config, state, config_object=False):
    import __main__
    __main__.GPTConfig = GPTConfig  # where pickle looks the class up
    fields = shape_fields(config)
    torch.save({"model": with_old_buffers(torch_state(state), config),
                "config": GPTConfig(**fields) if config_object else fields,
                "step": 1234, "val_loss": 3.25}, path)


def save_nanogpt(path, config, state):
    """nanoGPT's ckpt.pt of a compiled model, with its optimizer's state."""
    moments = {0: {"step": torch.tensor(7.0), "exp_avg": torch.zeros(3, 5)}}
    torch.save({"model": torch_state(state, prefix="_orig_mod."),
                "optimizer": {"state": moments, "param_groups": [{"lr": 6e-4, "params": [0]}]},
                "model_args": {**shape_fields(config), "bias": config.bias, "dropout": 0.0},
                "iter_num": 2000, "best_val_loss": torch.tensor(2.875),
                "config": {"learning_rate": 6e-4, "dataset": "shakespeare", "compile": True}}, path)


def save_state_dict(path, config, state):
    torch.save(torch_state(state, prefix="module."), path)


SAFETENSORS_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def tensor_bytes(tensor):
    if tensor.dtype == torch.bfloat16:  # numpy has no bfloat16
        tensor = tensor.view(torch.int16)
    return tensor.contiguous().numpy().tobytes()


def save_safetensors(path, named):
    """https://github.com/huggingface/safetensors: header length, JSON header, data."""
    header, blobs, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name, tensor in named.items():
        blob = tensor_bytes(tensor)
        header[name] = {"dtype": SAFETENSORS_DTYPES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def save_hugging_face(path, config, state, shards=1, prefix=""):
    """A folder with config.json and safetensors, Conv1D weights as [inputs, outputs]."""
    os.makedirs(path)
    named = {("" if name.startswith("lm_head") else prefix) + name:
             tensor.t().contiguous() if name.endswith(CONV1D) else tensor
             for name, tensor in state.items()}
    with open(os.path.join(path, "config.json"), "w") as file:
        json.dump({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"],
                   "n_positions": config.block_size, "vocab_size": config.vocab_size,
                   "n_layer": config.n_layer, "n_head": config.n_head, "n_embd": config.n_embd,
                   "n_inner": None if config.n_inner == 4 * config.n_embd else config.n_inner,
                   "activation_function": config.activation,
                   "layer_norm_epsilon": config.layer_norm_epsilon,
                   "tie_word_embeddings": config.tied,
                   "scale_attn_weights": config.scale_attn_weights,
                   "scale_attn_by_inverse_layer_idx": config.scale_attn_by_inverse_layer_idx,
                   "bos_token_id": 50256, "eos_token_id": 50256}, file)
    if shards == 1:
        save_safetensors(os.path.join(path, "model.safetensors"), named)
        return
    names, weight_map = list(named), {}
    for shard in range(shards):
        file_name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = {name: named[name] for name in names[shard::shards]}
        save_safetensors(os.path.join(path, file_name), part)
        weight_map.update({name: file_name for name in part})
    with open(os.path.join(path, "model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {}, "weight_map": weight_map}, file)
