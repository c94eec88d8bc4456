"""Checkpoints of odd shapes, made with PyTorch in every form: the same tokens and log-probabilities.

usage: checkpoint_parity.py CHORUS
"""

import dataclasses
import os
import random
import sys
import tempfile
from typing import Callable

from require_torch import torch  # first: ends the test where there is none
import checkpoint_files as files
import chorus_program
from chorus_program import Mismatch
from gpt2_reference import Config, Gpt2, random_weights

TOKENIZER_SIZE = 50257


@dataclasses.dataclass
class Case:
    name: str
    config: Config
    save: Callable
    file: str
    dtype: torch.dtype = torch.float32
    options: dict = dataclasses.field(default_factory=dict)  # of random_weights
    generations: int = 8


def hugging_face(**options):
    return lambda path, config, state: files.save_hugging_face(path, config, state, **options)


def config_object(path, config, state):
    files.save_build_nanogpt(path, config, state, config_object=True)


CASES = [
    Case("one small layer, build-nanogpt", Config(9, 17, 1, 1, 8), files.save_build_nanogpt, "a.pt"),
    Case("no biases, compiled, nanoGPT", Config(33, 1001, 2, 3, 48, bias=False, activation="gelu"),
         files.save_nanogpt, "b.pt"),
    Case("padded vocabulary, config object", Config(64, 50304, 3, 4, 96), config_object, "c.pt",
         options={"padding_from": TOKENIZER_SIZE}),
    Case("bare state dict, f16", Config(100, TOKENIZER_SIZE, 2, 4, 128), files.save_state_dict,
         "d.bin", dtype=torch.float16),
    Case("stops at <|endoftext|>", Config(70, TOKENIZER_SIZE, 1, 2, 20), files.save_build_nanogpt,
         "e.pth", options={"stop_logit": 6.0}),
    Case("head size 10, odd n_inner, untied, relu, inverse layer scale",
         Config(40, 257, 3, 3, 30, n_inner=77, activation="relu", tied=False,
                scale_attn_by_inverse_layer_idx=True), hugging_face(), "f"),
    Case("erf gelu, unscaled attention, shards, bf16",
         Config(65, 600, 2, 5, 40, activation="gelu", layer_norm_epsilon=1e-3,
                scale_attn_weights=False), hugging_face(shards=3, prefix="transformer."), "g",
         dtype=torch.bfloat16),
    Case("build-nanogpt, bf16", Config(100, 300, 4, 4, 64), files.save_build_nanogpt, "h.pt",
         dtype=torch.bfloat16),
]


def requests_for(case, rng):
    """Several prompts, lengths, k and seeds; those of low and high bits, and the edges of the block."""
    config = case.config
    seeds = [42, 0, 1, 4294967301, 123456789, 2**63 + 11, 7, 2**64 - 5]
    requests = []
    for i in range(case.generations):
        length = rng.randint(1, max(1, config.block_size // 3))
        vocabulary = min(config.vocab_size, TOKENIZER_SIZE)
        max_length = config.block_size if i % 2 == 0 else rng.randint(length, config.block_size)
        requests.append({"prompt_ids": [rng.randrange(vocabulary) for _ in range(length)],
                         "max_length": max_length, "top_k": (50, 5, 200, 1)[i % 4],
                         "seed": seeds[i % len(seeds)], "loop": "talk"})
    return requests


def signed(seed):
    """torch's manual_seed takes the seeds from 2^63 on as negative numbers."""
    return seed - 2**64 if seed >= 2**63 else seed


def check_generations(chorus, case, path, references, *options):
    requests = [request for request, _ in references]
    results = chorus_program.generate(chorus, path, requests, *options)
    return sum(chorus_program.check_generation(f"{case.name}: {' '.join(options)}", request, result,
                                               *reference)
               for result, (request, reference) in zip(results, references))


def check_scores(chorus, case, model, path, rng):
    vocabulary = min(case.config.vocab_size, TOKENIZER_SIZE)
    largest = 0.0
    for length in (2, case.config.block_size):
        ids = [rng.randrange(vocabulary) for _ in range(length)]
        result = chorus_program.score(chorus, path, ids, "--dtype", "f32")
        largest = max(largest, chorus_program.check_scores(case.name, result, ids, model.logprobs(ids)))
    return largest


def check_case(chorus, number, case, folder):
    rng = random.Random(number)
    path = os.path.join(folder, case.file)
    state = {name: tensor.to(case.dtype)
             for name, tensor in random_weights(case.config, number, **case.options).items()}
    case.save(path, case.config, state)
    model = Gpt2(case.config, state)
    references = [(request, model.generate(request["prompt_ids"], request["max_length"],
                                           request["top_k"], signed(request["seed"])))
                  for request in requests_for(case, rng)]
    compared = check_generations(chorus, case, path, references, "--dtype", "f32")
    if case.dtype == torch.bfloat16:  # weights that are bf16 already lose nothing so
        check_generations(chorus, case, path, references, "--dtype", "bf16-f32")
    converted = os.path.join(folder, f"{number}.safetensors")
    chorus_program.run(chorus, "convert", path, converted)
    check_generations(chorus, case, converted, references, "--dtype", "f32")
    largest = check_scores(chorus, case, model, path, rng)
    stops = sum(finish == "stop" for _, (_, finish, _) in references)
    if case.options.get("stop_logit") and not 0 < stops < len(references):
        raise Mismatch(f"{case.name}: {stops} of {len(references)} references stop: no test of it")
    print(f"{case.name}: {compared} tokens equal, {stops} stops, logprobs within {largest:.1e}",
          flush=True)
    return compared


def main():
    chorus = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        total = sum(check_case(chorus, number, case, folder) for number, case in enumerate(CASES))
    if total < 1000:
        raise Mismatch(f"only {total} tokens were compared")
    print(f"{total} tokens equal to PyTorch {torch.__version__}'s")


if __name__ == "__main__":
    chorus_program.report(main)
