#!/usr/bin/env python3
"""The perplexity of a checkpoint in every type of weights, by `chorus score`, as a Markdown table.

usage: perplexity.py [--chorus PROGRAM] [--model CHECKPOINT] [--bytes N] TEXT...

Texts of one TEXT argument, a file or a folder of .txt files, are one column: their losses are averaged over
tokens. Each text is read in windows of a whole block. With --bytes only the first N bytes of each text are
read. Every figure is the change against f32 in the same run.
"""

import argparse
import json
import math
import pathlib
import subprocess

TYPES = ["f32", "bf16-f32", "bf16", "int8", "int4"]


def texts_of(place):
    path = pathlib.Path(place)
    return sorted(path.glob("*.txt")) if path.is_dir() else [path]


def perplexity(arguments, place, dtype):
    """Over all texts of a place, and how many tokens those were."""
    loss = tokens = 0
    for path in texts_of(place):
        text = path.read_bytes()[: arguments.bytes or None].decode("utf-8", errors="replace")
        command = [arguments.chorus, "score", "--json", "--stride", str(arguments.stride), "--dtype", dtype]
        command += ["--file", "-"]
        if arguments.model:
            command += ["--model", arguments.model]
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
        score = json.loads(done.stdout)
        count = len(score["ids"]) - 1
        loss += score["loss"] * count
        tokens += count
    return math.exp(loss / tokens), tokens


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chorus", default="build/release/src/chorus")
    parser.add_argument("--model", default="", help="default: the storyteller in the program")
    parser.add_argument("--bytes", type=int, default=0, help="of each text; default: all")
    parser.add_argument("--stride", type=int, default=1024, help="between windows; default: 1024")
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    arguments = parser.parse_args()
    print("| dtype | " + " | ".join(pathlib.Path(place).name for place in arguments.texts) + " |")
    print("|---|" + "---|" * len(arguments.texts))
    exact = {}
    for dtype in TYPES:
        cells = []
        for place in arguments.texts:
            value, tokens = perplexity(arguments, place, dtype)
            exact.setdefault(place, value)
            change = f"{100 * (value / exact[place] - 1):+.3f} %"
            cells.append(f"{value:.3f} ({tokens} tokens)" if dtype == "f32" else f"{value:.3f} ({change})")
        print(f"| {dtype} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
