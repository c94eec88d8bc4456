"""The loop of transformers against the real one: the tokens of generate(do_sample=True) for random options.

Where transformers cannot be imported the test is skipped; loops_parity compares with its rules there.
usage: transformers_parity.py CHORUS
"""

import json
import os
import random
import sys
import tempfile

import require_packages  # noqa: F401  (first: it ends the test where they are missing)
from require_torch import torch
import transformers
from transformers import GPT2LMHeadModel
import checkpoint_files as files
import chorus_program
from chorus_program import Mismatch
from gpt2_reference import Config, Gpt2, random_weights
from loops_reference import continue_text

SEEDS = [0, 1, 42, 1337, 7, 123456789, 2**31, 99, 5, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]


def random_options(rng):
    return {"temperature": rng.choice([1.0, 0.8, 0.7, 1.3]), "top_k": rng.choice([50, 200, 5, 1, 0, 100000]),
            "top_p": rng.choice([1.0, 0.95, 0.9, 0.5, 0.0]), "repetition_penalty": rng.choice([1.0, 1.2, 0.8])}


@torch.no_grad()
def generate(model, ids, max_length, seed, options, min_tokens):
    torch.manual_seed(seed)
    result = model.generate(torch.tensor([ids]), do_sample=True, max_length=max_length, pad_token_id=0,
                            min_new_tokens=min_tokens or None,
                            attention_mask=torch.ones(1, len(ids), dtype=torch.long), **options)
    return result[0].tolist()


def check(chorus, name, config, state, eos, folder, rng):
    path = os.path.join(folder, name.replace(" ", "_"))
    files.save_hugging_face(path, config, state)
    with open(os.path.join(path, "generation_config.json"), "w") as file:
        json.dump({"eos_token_id": eos}, file)
    theirs, ours = GPT2LMHeadModel.from_pretrained(path).eval(), Gpt2(config, state)
    ends = [eos] if isinstance(eos, int) else eos
    cases = []
    for seed in SEEDS:
        options = random_options(rng)
        length = rng.randint(1, config.block_size // 2)
        request = {"prompt_ids": [rng.randrange(config.vocab_size) for _ in range(length)], "seed": seed,
                   "max_length": rng.randint(length + 1, config.block_size), **options}
        tokens = generate(theirs, request["prompt_ids"], request["max_length"], seed, options, 0)
        rule = continue_text(ours, request, "transformers", dict(options, top_k=options["top_k"] or None),
                             torch.Generator().manual_seed(seed), eos=ends)
        near_from = rule[2]
        if tokens != rule[0] and near_from is None:
            raise Mismatch(f"{name}, {request}: transformers {tokens}, the rules {rule[0]}")
        finish = "stop" if tokens[-1] in ends and len(tokens) > length else "length"
        cases.append((request, (tokens, finish, near_from)))
    results = chorus_program.generate(chorus, path, [request for request, _ in cases], "--dtype", "f32")
    compared = sum(chorus_program.check_generation(name, request, result, *reference)
                   for (request, reference), result in zip(cases, results))
    stops = sum(finish == "stop" for _, (_, finish, _) in cases)
    print(f"{name}: {compared} tokens equal, {stops} stops", flush=True)
    return compared, stops


def check_min_tokens(chorus, config, state, folder, rng):
    """min_new_tokens makes the ids that end a text impossible, before temperature and the rest."""
    path, ends = os.path.join(folder, "min_tokens"), list(range(0, config.vocab_size, 2))
    files.save_hugging_face(path, config, state)
    with open(os.path.join(path, "generation_config.json"), "w") as file:
        json.dump({"eos_token_id": ends}, file)
    model = GPT2LMHeadModel.from_pretrained(path).eval()
    for seed in SEEDS[:5]:
        request = {"prompt_ids": [1, 2, 3], "max_length": 30, "seed": seed, "top_k": 40, "min_tokens": 9}
        expected = generate(model, [1, 2, 3], 30, seed, {"top_k": 40}, 9)
        [result] = chorus_program.generate(chorus, path, [request], "--dtype", "f32")
        if result["tokens"] != expected:
            raise Mismatch(f"min_tokens, seed {seed}: {result['tokens']}, transformers has {expected}")


def main():
    chorus, rng = sys.argv[1], random.Random(8)
    with tempfile.TemporaryDirectory() as folder:
        config = Config(48, 999, 2, 2, 32)
        state = random_weights(config, 5)
        total, stops = check(chorus, "a list of eos", config, state, [3, 77, 500, 998], folder, rng)
        state["wte.weight"][1::2] = state["wte.weight"][:-1:2]
        more, _ = check(chorus, "pairs of equal logits", config, state, 7, folder, rng)
        config = Config(40, 50257, 1, 2, 20)
        state = random_weights(config, 2, stop_logit=6.0)
        last, last_stops = check(chorus, "GPT-2 vocabulary", config, state, 50256, folder, rng)
        config = Config(48, 200, 2, 2, 32)
        check_min_tokens(chorus, config, random_weights(config, 6), folder, rng)
    if total + more + last < 500 or stops + last_stops == 0:
        raise Mismatch(f"only {total + more + last} tokens were compared, {stops + last_stops} stops")
    print(f"{total + more + last} tokens equal to transformers {transformers.__version__} "
          f"on PyTorch {torch.__version__}")


chorus_program.report(main)
