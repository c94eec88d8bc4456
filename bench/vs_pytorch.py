"""Measures `chorus generate` against PyTorch and against what memory allows, all in one run.

usage: vs_pytorch.py --chorus CHORUS --limits BENCH_LIMITS [--rounds N] [--threads 1,2] [--streams 14,32] NAME=MODEL.pt...

For each model and number of threads, one table in Markdown of one sequence, and with --streams one of
many at once (`chorus bench` beside PyTorch with KV cache, whose sequences are a batch). Every round measures each contender
once, one after the other, so that a machine that changes its speed changes it for all; figures are
medians over the rounds, and in brackets the least and the most. What other processes took of the
processors meanwhile is counted: --wait S waits up to S seconds before each measurement for them to
be idle, and a measurement that they disturbed is left out if there are others. Linux only; needs
PyTorch 1.12 or later.
"""

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Callable

import torch
from gpt2_peer import Gpt2Peer, forms_of_attention
from measuring import DISTURBED, Load, count_disturbed, median, spread, wait_for_idle

PROMPT = [7454, 2402, 257, 640]  # "Once upon a time"
NEW_TOKENS = 100
LONG_PROMPT = [(i * 7919 + 11) % 50000 for i in range(512)]
TOP_K = 50
SEED = 42


@dataclasses.dataclass
class Contender:
    name: str
    dtype: str
    generate: Callable  # () -> (tokens per second, ids)
    read_prompt: Callable  # () -> tokens of LONG_PROMPT per second, until the first new token
    is_chorus: bool = False
    rates: list = dataclasses.field(default_factory=list)
    prompt_rates: list = dataclasses.field(default_factory=list)
    ids: list = None

    def measure(self, wait):
        wait_for_idle(wait)
        with Load() as load:
            rate, self.ids = self.generate()
        self.rates.append((rate, load.others))
        if self.read_prompt is not None:
            wait_for_idle(wait)
            with Load() as load:
                rate = self.read_prompt()
            self.prompt_rates.append((rate, load.others))


def run_json_lines(command, environment, requests):
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    process = subprocess.run(command, input=lines, capture_output=True, text=True,
                             env={**os.environ, **environment})
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: {process.stderr.strip()}")
    return [json.loads(line) for line in process.stdout.splitlines()]


def chorus_contender(chorus, model, dtype, threads, isa):
    command = [chorus, "generate", "--model", model, "--dtype", dtype, "--threads", str(threads),
               "--jsonl", "--parallel", "1"]
    environment = {"CHORUS_ISA": isa} if isa else {}

    def ask(request):
        sampling = {"top_k": TOP_K, "seed": SEED}
        # Before it another prompt of that length, of which no prefix is found again.
        other = [(i + 1) % 50000 for i in request["prompt_ids"]]
        warm_up = {"prompt_ids": other, "max_length": len(other) + 4}
        return run_json_lines(command, environment,
                              [warm_up | sampling, request | sampling])[1]

    def generate():
        result = ask({"prompt_ids": PROMPT, "max_length": len(PROMPT) + NEW_TOKENS})
        return result["tokens_per_second"], result["tokens"]

    def read_prompt():
        result = ask({"prompt_ids": LONG_PROMPT, "max_length": len(LONG_PROMPT) + 1})
        return result["tokens_per_second"] * len(LONG_PROMPT)

    return Contender(f"chorus{', ' + isa if isa else ''}", dtype, generate, read_prompt, True)


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def torch_contender(peer, dtype, threads, use_cache):
    def generate():
        torch.set_num_threads(threads)
        peer.generate(PROMPT, len(PROMPT) + 4, TOP_K, SEED, use_cache)
        seconds, ids = timed(lambda: peer.generate(PROMPT, len(PROMPT) + NEW_TOKENS, TOP_K, SEED,
                                                   use_cache))
        return NEW_TOKENS / seconds, ids

    def read_prompt():
        torch.set_num_threads(threads)
        times = []
        for _ in forms_of_attention():
            peer.first_token(LONG_PROMPT)
            times.append(timed(lambda: peer.first_token(LONG_PROMPT))[0])
        return len(LONG_PROMPT) / min(times)

    name = "PyTorch, KV cache" if use_cache else "PyTorch, as the talk generates"
    return Contender(name, dtype, generate, read_prompt if use_cache else None)


def read_bandwidth(limits, threads, megabytes):
    """Bytes per second that `threads` threads read from a buffer of that size."""
    output = subprocess.run([limits, "--megabytes", str(megabytes), "--threads", str(threads),
                             "--seconds", "0.5"], check=True, capture_output=True, text=True)
    return json.loads(output.stdout)["limits"][-1]["read_gb_per_s"] * 1e9


def print_table(title, contenders, bandwidths, weight_bytes):
    """`bandwidths` and `weight_bytes` are by the type in which weights are held."""
    talk = next(c for c in contenders if "talk" in c.name)
    cached = next(c for c in contenders if "cache" in c.name and c.dtype == "f32")
    sizes = ", ".join(f"{dtype} {size / 1e6:.0f} MB at {spread(bandwidths[dtype], 1e-9)} GB/s"
                      for dtype, size in weight_bytes.items())
    print(f"\n### {title}\n\nWeights read for each token, and how fast this many threads read a "
          f"buffer of that size: {sizes}.\n")
    print("| | weights | tokens/s | to the talk's loop | to PyTorch with KV cache, f32 "
          "| of the read limit | prompt tokens/s | to PyTorch |")
    print("|---|---|---|---|---|---|---|---|")
    for c in contenders:
        rate = median(c.rates)
        held = c.dtype.partition("-")[0]
        share = rate * weight_bytes[held] / median(bandwidths[held])
        prompt = prompt_ratio = "-"
        if c.prompt_rates:
            prompt = spread(c.prompt_rates)
            ratio = median(c.prompt_rates) / median(cached.prompt_rates)
            prompt_ratio = f"{ratio:.2f}"
        print(f"| {c.name} | {c.dtype} | {spread(c.rates)} | {rate / median(talk.rates):.2f} "
              f"| {rate / median(cached.rates):.2f} | {share:.0%} | {prompt} "
              f"| {prompt_ratio} |")
    same = [f"{c.name} {c.dtype}" for c in contenders if c is not talk and c.ids == talk.ids]
    everything = [m for c in contenders for m in c.rates + c.prompt_rates]
    print(f"\nOther processes disturbed {count_disturbed(everything)} of {len(everything)} measurements (took over "
          f"{DISTURBED:.0%} of the processors).")
    print(f"\nThe very tokens of the talk's loop: {', '.join(same) or 'none'}.", flush=True)


def measure_model(options, name, model, threads):
    checkpoint = torch.load(model, map_location="cpu")
    peers = {"f32": Gpt2Peer(checkpoint), "bf16": Gpt2Peer(checkpoint, torch.bfloat16)}
    weight_bytes = {dtype: peer.weight_bytes() for dtype, peer in peers.items()}
    contenders = [chorus_contender(options.chorus, model, dtype, threads, isa)
                  for isa in options.isa for dtype in ("f32", "bf16", "bf16-f32")]
    contenders += [torch_contender(peers[dtype], dtype, threads, True) for dtype in ("f32", "bf16")]
    contenders.append(torch_contender(peers["f32"], "f32", threads, False))
    bandwidths = {dtype: [] for dtype in weight_bytes}
    for _ in range(options.rounds):
        for dtype, size in weight_bytes.items():
            wait_for_idle(options.wait)
            with Load() as load:
                rate = read_bandwidth(options.limits, threads, max(1, size >> 20))
            bandwidths[dtype].append((rate, load.others))
        for contender in contenders:
            contender.measure(options.wait)
    title = f"{name}, {threads} thread{'s' if threads > 1 else ''}"
    print_table(title, contenders, bandwidths, weight_bytes)
    if options.streams:
        measure_streams(options, title, peers, model, threads)


STREAMS_PROMPT, STREAMS_TOKENS = 4, 32  # chorus bench generates after prompts of 4 tokens


def chorus_streams(options, model, threads):
    """Generated tokens per second of all streams, by (name, dtype, streams)."""
    command = [options.chorus, "bench", "--model", model, "--dtype", "f32,bf16,bf16-f32,int8", "--threads",
               str(threads), "--streams", options.streams, "--prompt-tokens", "16", "--new-tokens",
               str(STREAMS_TOKENS), "--rounds", "1", "--json"]
    output = subprocess.run(command, check=True, capture_output=True, text=True)
    return {("chorus", each["dtype"], each["streams"]): each["tokens_per_second"]
            for each in json.loads(output.stdout)["results"] if each["test"] == "tg"}


def torch_streams(peer, dtype, threads, streams):
    torch.set_num_threads(threads)
    prompts = [[(7919 * i + 31 * j + 11) % 50000 for i in range(STREAMS_PROMPT)] for j in range(streams)]
    rates = []
    for _ in forms_of_attention():
        steps = peer.generate_batch(prompts, STREAMS_TOKENS, TOP_K, SEED)
        next(steps)
        seconds, count = timed(lambda: sum(1 for _ in steps))
        rates.append(count * streams / seconds)
    return {("PyTorch, KV cache", dtype, streams): max(rates)}


def measure_streams(options, title, peers, model, threads):
    streams = [int(n) for n in options.streams.split(",")]
    works = [lambda: chorus_streams(options, model, threads)]
    for dtype, peer in peers.items():
        for n in streams:
            works.append(lambda peer=peer, dtype=dtype, n=n: torch_streams(peer, dtype, threads, n))
    rates = {}
    for _ in range(options.rounds):
        for work in works:
            wait_for_idle(options.wait)
            with Load() as load:
                result = work()
            for key, rate in result.items():
                rates.setdefault(key, []).append((rate, load.others))
    print(f"\n### {title}, many streams\n")
    print("| | weights |" + "".join(f" {n} streams, tokens/s | to PyTorch, bf16 |" for n in streams))
    print("|---|---|" + "---|---|" * len(streams))
    for name, dtype in dict.fromkeys(key[:2] for key in rates):
        print(f"| {name} | {dtype} |", end="")
        for n in streams:
            own, peer = rates[name, dtype, n], rates["PyTorch, KV cache", "bf16", n]
            print(f" {spread(own)} | {median(own) / median(peer):.2f} |", end="")
        print()
    everything = [m for measurements in rates.values() for m in measurements]
    print(f"\nOther processes disturbed {count_disturbed(everything)} of {len(everything)} measurements.", flush=True)


def describe_peer():
    """PyTorch's version, and whose matrix products it uses: Netlib's reference would be no peer."""
    with open("/proc/self/maps") as file:
        files = {os.path.basename(line.split()[-1]) for line in file if "/" in line}
    blas = sorted(name for name in files if "blas" in name or "mkl" in name)
    print(f"PyTorch {torch.__version__}, BLAS: {', '.join(blas) or 'its own'}.")
    if any(name.startswith("libblas.so.3.") for name in blas):
        print("\n**This BLAS is Netlib's reference, many times slower than a tuned one: set "
              "LD_LIBRARY_PATH to a folder with OpenBLAS's libblas.so.3.**")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chorus", required=True)
    parser.add_argument("--limits", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", default=f"1,{len(os.sched_getaffinity(0))}")
    parser.add_argument("--streams", default="", metavar="N,...",
                        help="also measure so many streams at once (default: none)")
    parser.add_argument("--wait", type=float, default=0.0, metavar="S")
    parser.add_argument("--isa", default=",avx2",
                        help="values of CHORUS_ISA, an empty one for the best (default: ',avx2')")
    parser.add_argument("models", nargs="+", metavar="NAME=MODEL.pt")
    options = parser.parse_args()
    options.isa = options.isa.split(",")
    return options


def main():
    options = parse_arguments()
    describe_peer()
    for argument in options.models:
        name, _, model = argument.partition("=")
        for threads in dict.fromkeys(int(n) for n in options.threads.split(",")):
            measure_model(options, name, model, threads)


main()
