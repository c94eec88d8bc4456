"""Writes a checkpoint of GPT-2's smallest shape (124M parameters), in build-nanogpt's form, with
random weights: what there is to measure speed on where no trained model can be fetched. Its text is
noise. The same file content every time; about 0.5 GB, not to be committed.

usage: make_gpt2.py [--vocab-size N] OUT.pt
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "torch"))

import torch
from checkpoint_files import shape_fields, torch_state
from gpt2_reference import STOP_TOKEN, Config, random_weights

SEED = 124


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab-size", type=int, default=50304,
                        help="50257 for peers that take no padding (default: 50304)")
    parser.add_argument("path", metavar="OUT.pt")
    options = parser.parse_args()
    config = Config(block_size=1024, vocab_size=options.vocab_size, n_layer=12, n_head=12, n_embd=768)
    # The stop token's row and the padding's are zero: a measured generation never ends early.
    state = random_weights(config, SEED, padding_from=STOP_TOKEN)
    torch.save({"model": torch_state(state), "config": shape_fields(config), "step": 0,
                "val_loss": 11.0}, options.path)


main()
