"""The sampler alone against the rules of nanoGPT's and transformers' loops in PyTorch, from given logits.

usage: sampler_loops.py SAMPLER_PROBE
"""

import random
import subprocess
import sys

from require_torch import torch  # first: ends the test where there is none
import chorus_program
from chorus_program import Mismatch
from loops_reference import SCORES, draw

SEEDS = [0, 1, 42, 1337, 4294967301, 2**63 - 1, -1, -12345, 7, 20]


def probe(seed, loop, rows, options):
    process = subprocess.run(
        [sys.argv[1], "sample", str(seed % 2**64), str(options.get("top_k") or 0),
         repr(options.get("temperature", 1.0)), str(rows.shape[1]), loop,
         repr(options.get("top_p", 1.0)), repr(options.get("min_p", 0.0))],
        input=rows.numpy().tobytes(), capture_output=True)
    if process.returncode != 0:
        raise Mismatch(f"probe {loop} {options}: {process.stderr.decode()}")
    return [int(line) for line in process.stdout.split()]


def check(seed, loop, vocab_size, rows, ties, options):
    """With `ties` logits lie on a coarse grid, so that many are equal at every boundary."""
    logits = torch.randn(rows, vocab_size, generator=torch.Generator().manual_seed(seed)) * 2.5
    if ties:
        logits = (logits * 2).round() / 2
    found = probe(seed, loop, logits, options)
    generator = torch.Generator().manual_seed(seed)
    for row in range(rows):
        expected, near = draw(SCORES[loop](logits[row:row + 1], [], **options), generator)
        if found[row] != expected and (ties or not near):
            raise Mismatch(f"{loop}, seed {seed}, vocabulary {vocab_size}, {options}, ties {ties}, row {row}: "
                           f"{found[row]}, PyTorch draws {expected}")
    return rows


def options_of(loop, rng):
    options = {"temperature": rng.choice([1.0, 0.8, 0.7, 1.3]),
               "top_k": rng.choice([None, 1, 5, 50, 200, 787, 100000])}
    if loop == "transformers":
        options["top_p"] = rng.choice([1.0, 1.0, 0.95, 0.9, 0.7, 0.5, 0.1, 0.0])
        options["min_p"] = rng.choice([0.0, 0.0, 0.05, 0.3, 1.0])
    return options


def main():
    rng = random.Random(9)
    total = 0
    for loop in SCORES:
        for seed in SEEDS:
            for vocab_size, rows in ((50257, 4), (50304, 4), (1001, 30), (65, 60), (17, 60)):
                for ties in (False, True):
                    total += check(seed, loop, vocab_size, rows, ties, options_of(loop, rng))
    print(f"{total} draws equal to the loops of nanoGPT and transformers on PyTorch {torch.__version__}")


chorus_program.report(main)
