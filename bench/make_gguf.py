"""Writes a GPT-2 checkpoint of build-nanogpt's form as a GGUF file (version 3), which llama.cpp reads.

usage: make_gguf.py MODEL.pt OUT.gguf [--type f32|f16|q8_0|q4_0]

Matrices get the type, vectors and positions stay f32; with q4_0 the token embedding, which is the
head too, is q8_0. The formats are llama.cpp's documented ones: blocks of 32 weights along the inputs,
q8_0 [f16 scale, 32 int8], q4_0 [f16 scale, 16 bytes of two], where byte i holds weights i and i + 16.
Needs PyTorch and NumPy. bench/side_by_side.py runs it.
"""

import argparse
import os
import struct

import numpy as np
import torch

ALIGNMENT = 32
TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 8}
UINT32, INT32, FLOAT32, STRING, ARRAY = 4, 5, 6, 8, 9
NORMAL_TOKEN, CONTROL_TOKEN, UNUSED_TOKEN = 1, 3, 5
END_OF_TEXT = 50256
VOCABULARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "assets", "gpt2",
                          "vocab.bpe")
# Names within a layer here and in GGUF.
LAYER = {"ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
         "ln_2": "ffn_norm", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}


def blocks_of(matrix):
    return matrix.astype(np.float32).reshape(-1, 32)


def inverse(scales):
    return np.divide(1.0, scales, out=np.zeros_like(scales), where=scales != 0)


def q8_0(matrix):
    blocks = blocks_of(matrix)
    scales = np.abs(blocks).max(axis=1, keepdims=True) / 127.0
    values = np.rint(blocks * inverse(scales)).astype(np.int8)
    return np.concatenate([scales.astype(np.float16).view(np.uint8), values.view(np.uint8)], axis=1)


def q4_0(matrix):
    blocks = blocks_of(matrix)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)
    scales = largest / -8.0
    values = np.minimum(15, blocks * inverse(scales) + 8.5).astype(np.uint8)
    pairs = values[:, :16] | values[:, 16:] << 4
    return np.concatenate([scales.astype(np.float16).view(np.uint8), pairs], axis=1)


ENCODERS = {"f32": lambda m: m.astype(np.float32), "f16": lambda m: m.astype(np.float16),
            "q8_0": q8_0, "q4_0": q4_0}


def text(value):
    data = value.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def array(kind, values):
    packed = b"".join(map(text, values)) if kind == STRING else struct.pack(f"<{len(values)}i", *values)
    return struct.pack("<IIQ", ARRAY, kind, len(values)) + packed


def tokenizer(vocab_size):
    """GPT-2's tokens in the order of their ids (single bytes, merges, the end of text) and merges."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1),
                 *range(ord("®"), ord("ÿ") + 1)]
    others = 256 - len(printable)
    tokens = [chr(byte) for byte in printable] + [chr(256 + i) for i in range(others)]
    with open(VOCABULARY, encoding="utf-8") as file:
        merges = file.read().split("\n")[1:]
    merges = [line for line in merges if line]
    tokens += [line.replace(" ", "") for line in merges] + ["<|endoftext|>"]
    assert len(tokens) == END_OF_TEXT + 1
    kinds = [NORMAL_TOKEN] * END_OF_TEXT + [CONTROL_TOKEN]
    padding = vocab_size - len(tokens)
    tokens += [f"[PAD{i}]" for i in range(padding)]
    kinds += [UNUSED_TOKEN] * padding
    return tokens, kinds, merges


def metadata(config, kind):
    tokens, kinds, merges = tokenizer(config["vocab_size"])
    number = lambda n: struct.pack("<II", UINT32, n)
    string = lambda s: struct.pack("<I", STRING) + text(s)
    file_types = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 7}  # llama.cpp's numbers for whole files
    return {
        "general.architecture": string("gpt2"),
        "general.name": string("gpt2"),
        "general.file_type": number(file_types[kind]),
        "gpt2.context_length": number(config["block_size"]),
        "gpt2.embedding_length": number(config["n_embd"]),
        "gpt2.feed_forward_length": number(4 * config["n_embd"]),
        "gpt2.block_count": number(config["n_layer"]),
        "gpt2.attention.head_count": number(config["n_head"]),
        "gpt2.attention.layer_norm_epsilon": struct.pack("<If", FLOAT32, 1e-5),
        "tokenizer.ggml.model": string("gpt2"),
        "tokenizer.ggml.pre": string("gpt-2"),
        "tokenizer.ggml.tokens": array(STRING, tokens),
        "tokenizer.ggml.token_type": array(INT32, kinds),
        "tokenizer.ggml.merges": array(STRING, merges),
        "tokenizer.ggml.bos_token_id": number(END_OF_TEXT),
        "tokenizer.ggml.eos_token_id": number(END_OF_TEXT),
    }


def tensors(state, n_layer, kind):
    """(name, type, array of [outputs, inputs] or [n]) of every tensor that GGUF's gpt2 has."""
    get = lambda name: state[name].float().numpy()
    yield "token_embd.weight", "q8_0" if kind == "q4_0" else kind, get("transformer.wte.weight")
    yield "position_embd.weight", "f32", get("transformer.wpe.weight")
    for part in ("weight", "bias"):
        yield f"output_norm.{part}", "f32", get(f"transformer.ln_f.{part}")
    for layer in range(n_layer):
        for ours, theirs in LAYER.items():
            for part in ("weight", "bias"):
                tensor = get(f"transformer.h.{layer}.{ours}.{part}")
                yield f"blk.{layer}.{theirs}.{part}", kind if tensor.ndim == 2 else "f32", tensor


def write(path, config, state, kind):
    infos, data, offset = b"", [], 0
    for name, type_name, tensor in tensors(state, config["n_layer"], kind):
        encoded = ENCODERS[type_name](tensor).tobytes()
        shape = tensor.shape[::-1]  # the innermost first
        infos += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape,
                                          TYPES[type_name], offset)
        encoded += bytes(-len(encoded) % ALIGNMENT)
        data.append(encoded)
        offset += len(encoded)
    pairs = metadata(config, kind)
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(data), len(pairs))
    head += b"".join(text(key) + value for key, value in pairs.items()) + infos
    with open(path, "wb") as file:
        file.write(head + bytes(-len(head) % ALIGNMENT))
        for encoded in data:
            file.write(encoded)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--type", choices=TYPES, default="f16")
    options = parser.parse_args()
    checkpoint = torch.load(options.model, map_location="cpu")
    write(options.out, checkpoint["config"], checkpoint["model"], options.type)


main()
