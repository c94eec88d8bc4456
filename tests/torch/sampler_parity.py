"""The sampler alone against PyTorch: its random stream bit for bit, and its choices from given logits.

usage: sampler_parity.py SAMPLER_PROBE
"""

import subprocess
import sys

from require_torch import torch  # first: ends the test where there is none
import chorus_program
from chorus_program import Mismatch
from gpt2_reference import choose

SEEDS = [0, 1, 42, 4294967301, 2**63 - 1, -1, -12345]


def probe(*arguments, data=b""):
    process = subprocess.run([sys.argv[1], *map(str, arguments)], input=data, capture_output=True)
    if process.returncode != 0:
        raise Mismatch(f"probe {arguments}: {process.stderr.decode()}")
    return process.stdout


def check_draws():
    calls, count = 200, 50
    for seed in SEEDS:
        generator = torch.Generator().manual_seed(seed)
        expected = torch.cat([torch.empty(count).exponential_(generator=generator)
                              for _ in range(calls)])
        found = torch.frombuffer(bytearray(probe("draws", seed % 2**64, calls, count)),
                                 dtype=torch.float32)
        different = (found != expected).nonzero()
        if len(found) != len(expected) or len(different):
            i = different[0].item()
            raise Mismatch(f"seed {seed}: draw {i} is {found[i]!r}, PyTorch has {expected[i]!r}; "
                           f"{len(different)} of {len(expected)} differ")
    print(f"{len(SEEDS) * calls * count} draws equal bit for bit")


def check_choices(vocab_size, k, temperature, rows, ties):
    """Rows of logits; with `ties`, on a coarse grid, so that most probabilities are shared by many ids."""
    seed = vocab_size + k
    logits = torch.randn(rows, vocab_size, generator=torch.Generator().manual_seed(seed)) * 2.5
    if ties:
        logits = (logits * 2).round() / 2
    output = probe("sample", seed, k, temperature, vocab_size, data=logits.numpy().tobytes())
    found = [int(line) for line in output.split()]
    generator = torch.Generator().manual_seed(seed)
    for row in range(rows):
        probabilities = torch.softmax(logits[row:row + 1] / temperature, dim=-1)
        expected, near = choose(probabilities, min(k, vocab_size), generator)
        # Equal probabilities are equal in both programs: only those that are not quite can be near.
        if found[row] != expected and (ties or not near):
            raise Mismatch(f"vocabulary {vocab_size}, k {k}, temperature {temperature}, row {row}: "
                           f"{found[row]}, PyTorch chooses {expected}")
    return rows


def main():
    check_draws()
    total = 0
    for vocab_size, k, rows in ((50257, 50, 60), (50304, 200, 40), (50304, 786, 20), (50304, 787, 20),
                                (50304, 5000, 10), (50257, 0, 40), (50304, 0, 20), (50257, 50257, 5), (1001, 50, 300), (1001, 5, 300),
                                (17, 50, 300), (3200, 50, 200), (3199, 50, 200), (5, 3, 300)):
        for temperature in (1.0, 0.7):
            for ties in (False, True):
                total += check_choices(vocab_size, k, temperature, rows, ties)
    print(f"{total} choices equal to torch.softmax, topk and multinomial of PyTorch "
          f"{torch.__version__}")


chorus_program.report(main)
