"""Reads a prompt of 512 with int8 weights, by Chorus and by onnxruntime in turn: tokens/s until the first new token.

usage: vs_onnxruntime.py --chorus CHORUS [--threads N] [--rounds N] MODEL.pt

onnxruntime runs a GPT-2 that is made here of ONNX's operators with the checkpoint's shapes, and quantised
by its own quantize_dynamic: int8 weights with a scale for each output, activations quantised while it
runs, a scale for each tensor. Weights are random: speed does not depend on them. Needs onnxruntime, onnx and numpy,
and for the checkpoint PyTorch, in this Python or in the one that --torch-python names.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxruntime.quantization import QuantType, quantize_dynamic

ROWS = 512


class Graph:
    """ONNX nodes and weights, each made by one call."""

    def __init__(self):
        self.nodes, self.weights = [], []
        self.random = np.random.default_rng(1)

    def weight(self, values):
        name = f"w{len(self.weights)}"
        self.weights.append(onnx.numpy_helper.from_array(values, name))
        return name

    def floats(self, *shape):
        return self.weight((self.random.standard_normal(shape) * 0.02).astype(np.float32))

    def integers(self, *values):
        return self.weight(np.array(values, dtype=np.int64))

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [f"n{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names if outputs > 1 else names[0]

    def linear(self, x, inputs, outputs):
        return self.op("Add", self.op("MatMul", x, self.floats(inputs, outputs)), self.floats(outputs))

    def norm(self, x, channels):
        return self.op("LayerNormalization", x, self.floats(channels), self.floats(channels), axis=-1)


def gpt2(layers, channels, heads, vocabulary):
    """x [ROWS, C], the embedded prompt, to the last row's logits [1, V]."""
    g, size = Graph(), channels // heads
    mask = g.weight(np.triu(np.full((ROWS, ROWS), -1e9, dtype=np.float32), 1))
    scale = g.weight(np.array(size**-0.5, dtype=np.float32))
    x = "x"
    for _ in range(layers):
        qkv = g.linear(g.norm(x, channels), channels, 3 * channels)
        q, k, v = (g.op("Reshape", part, g.integers(ROWS, heads, size))
                   for part in g.op("Split", qkv, outputs=3, axis=1, num_outputs=3))
        q, v = (g.op("Transpose", part, perm=[1, 0, 2]) for part in (q, v))
        scores = g.op("Mul", g.op("MatMul", q, g.op("Transpose", k, perm=[1, 2, 0])), scale)
        y = g.op("MatMul", g.op("Softmax", g.op("Add", scores, mask), axis=-1), v)
        y = g.op("Reshape", g.op("Transpose", y, perm=[1, 0, 2]), g.integers(ROWS, channels))
        x = g.op("Add", x, g.linear(y, channels, channels))
        hidden = g.op("Gelu", g.linear(g.norm(x, channels), channels, 4 * channels), approximate="tanh")
        x = g.op("Add", x, g.linear(hidden, 4 * channels, channels))
    last = g.op("Slice", g.norm(x, channels), g.integers(ROWS - 1), g.integers(ROWS), g.integers(0))
    logits = g.op("MatMul", last, g.floats(channels, vocabulary))
    graph = helper.make_graph(
        g.nodes, "gpt2", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [ROWS, channels])],
        [helper.make_tensor_value_info(logits, TensorProto.FLOAT, [1, vocabulary])], g.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def onnxruntime_session(config, threads, folder):
    path, quantised = f"{folder}/f32.onnx", f"{folder}/int8.onnx"
    onnx.save(gpt2(config["n_layer"], config["n_embd"], config["n_head"], config["vocab_size"]), path)
    quantize_dynamic(path, quantised, per_channel=True, weight_type=QuantType.QInt8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(quantised, options, providers=["CPUExecutionProvider"])


def chorus_rate(chorus, model, threads):
    prompts = [[(i * 7919 + 11 + j) % 50000 for i in range(ROWS)] for j in range(2)]
    lines = "".join(json.dumps({"prompt_ids": prompt, "max_length": ROWS + 1}) + "\n"
                    for prompt in prompts)
    output = subprocess.run([chorus, "generate", "--model", model, "--dtype", "int8", "--threads",
                             str(threads), "--jsonl", "--parallel", "1"],
                            input=lines, capture_output=True, text=True, check=True)
    return json.loads(output.stdout.splitlines()[1])["tokens_per_second"] * ROWS


def config_of(model, python):
    script = "import json, sys, torch; print(json.dumps(torch.load(sys.argv[1])['config']))"
    output = subprocess.run([python, "-c", script, model], capture_output=True, text=True, check=True)
    return json.loads(output.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chorus", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("model", metavar="MODEL.pt")
    options = parser.parse_args()
    config = config_of(options.model, options.torch_python)
    rates = {"chorus int8": [], "onnxruntime int8": []}
    with tempfile.TemporaryDirectory() as folder:
        session = onnxruntime_session(config, options.threads, folder)
    x = np.random.default_rng(2).standard_normal((ROWS, config["n_embd"])).astype(np.float32)
    session.run(None, {"x": x})
    for _ in range(options.rounds):
        rates["chorus int8"].append(chorus_rate(options.chorus, options.model, options.threads))
        start = time.perf_counter()
        session.run(None, {"x": x})
        rates["onnxruntime int8"].append(ROWS / (time.perf_counter() - start))
    print(f"onnxruntime {onnxruntime.__version__}, {options.threads} threads, a prompt of {ROWS}, "
          f"tokens/s:")
    for name, values in rates.items():
        print(f"  {name}: {statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})")
    ratio = statistics.median(rates["chorus int8"]) / statistics.median(rates["onnxruntime int8"])
    print(f"  ratio of the medians: {ratio:.2f}")


main()
