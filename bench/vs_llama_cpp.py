"""Measures `chorus bench` and llama.cpp side by side in one run, and prints their ratios.

usage: vs_llama_cpp.py --chorus CHORUS --node-llama-cpp FOLDER [options] MODEL.pt

FOLDER is where `npm install node-llama-cpp` was run. MODEL.pt is a checkpoint of build-nanogpt's
form; its GGUF files are written beside it, once. Every round measures each contender once, one after
the other, so that a machine that changes its speed changes it for all; figures are medians over the
rounds, and in brackets the least and the most. Linux; needs PyTorch, NumPy and Node.js.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PAIRS = "f32=f16,bf16=f16,int8=q8_0,int4=q4_0"  # dtype of Chorus = type of the GGUF file


def run(command, **environment):
    process = subprocess.run(command, capture_output=True, text=True,
                             env={**os.environ, **environment})
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: {process.stderr.strip()}")
    return process.stdout


def gguf(model, kind):
    path = f"{os.path.splitext(model)[0]}.{kind}.gguf"
    if not os.path.exists(path):
        part = path + ".part"
        run([sys.executable, os.path.join(HERE, "make_gguf.py"), model, part, "--type", kind])
        os.rename(part, path)
    return path


def chorus_command(options, dtype, streams):
    return [options.chorus, "bench", "--model", options.model, "--dtype", dtype, "--threads",
            str(options.threads), "--streams", str(streams), "--prompt-tokens",
            str(options.prompt_tokens), "--new-tokens", str(options.new_tokens), "--rounds", "1",
            "--json"]


def llama_command(options, kind, streams):
    return ["node", os.path.join(HERE, "llama_cpp_peer.mjs"), gguf(options.model, kind),
            str(options.threads), str(streams), str(options.prompt_tokens),
            str(options.new_tokens)]


def chorus_rates(command):
    results = json.loads(run(command))["results"]
    return {result["test"]: result["tokens_per_second"] for result in results}


def spread(values):
    digits = 0 if min(values) >= 100 else 1
    middle = f"{statistics.median(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chorus", required=True)
    parser.add_argument("--node-llama-cpp", required=True, metavar="FOLDER")
    parser.add_argument("--pairs", default=PAIRS, help=f"default: {PAIRS}")
    parser.add_argument("--streams", default="1,32")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("model", metavar="MODEL.pt")
    options = parser.parse_args()
    options.pairs = [pair.split("=") for pair in options.pairs.split(",")]
    options.streams = [int(n) for n in options.streams.split(",")]
    return options


def main():
    options = parse_arguments()
    rates = {}  # (dtype, type, streams, test) -> ([Chorus's], [llama.cpp's])
    release = ""
    for _ in range(options.rounds):
        for streams in options.streams:
            for dtype, kind in options.pairs:
                ours = chorus_rates(chorus_command(options, dtype, streams))
                theirs = json.loads(run(llama_command(options, kind, streams),
                                        NODE_LLAMA_CPP=options.node_llama_cpp))
                release = theirs["release"]
                for test in ("pp", "tg"):
                    mine, peer = rates.setdefault((dtype, kind, streams, test), ([], []))
                    mine.append(ours[test])
                    peer.append(theirs[test])
    dtype, kind = options.pairs[0]
    print(f"llama.cpp {release}, {options.threads} threads, prompts of {options.prompt_tokens} (pp), "
          f"{options.new_tokens} new tokens (tg); for example\n")
    for command in (chorus_command(options, dtype, options.streams[0]),
                    llama_command(options, kind, options.streams[0])):
        print(f"    {' '.join(os.path.relpath(w) if os.path.isabs(w) else w for w in command)}")
    print("\n| test | streams | Chorus | tokens/s | llama.cpp | tokens/s | ratio |")
    print("|---|---|---|---|---|---|---|")
    for (dtype, kind, streams, test), (mine, peer) in sorted(rates.items(), key=lambda r: r[0][3]):
        ratio = statistics.median(mine) / statistics.median(peer)
        print(f"| {test} | {streams} | {dtype} | {spread(mine)} | {kind} | {spread(peer)} "
              f"| {ratio:.2f} |")


main()
