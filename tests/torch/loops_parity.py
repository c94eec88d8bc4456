"""The loops of nanoGPT, transformers and the talk in the whole program: the same tokens as PyTorch's rules.

Over random options, seeds and prompts: temperature, top_k with equal logits at its edge, top_p, min_p,
repetition_penalty, lists of ids that end a text, several samples from one stream, texts past the block.
usage: loops_parity.py CHORUS
"""

import os
import random
import sys
import tempfile

from require_torch import torch  # first: ends the test where there is none
import checkpoint_files as files
import chorus_program
from chorus_program import Mismatch
from gpt2_reference import Config, Gpt2, random_weights
from loops_reference import continue_text

SEEDS = [0, 1, 42, 1337, 7, 4294967301, 123456789, 2**31, 99, 5, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]


def random_options(loop, rng):
    options = {"temperature": rng.choice([1.0, 0.8, 0.7, 1.3]), "top_k": rng.choice([50, 200, 5, 1, 0])}
    if loop == "transformers":
        options.update(top_p=rng.choice([1.0, 0.95, 0.9, 0.5]), min_p=rng.choice([0.0, 0.0, 0.05, 0.2]),
                       repetition_penalty=rng.choice([1.0, 1.0, 1.2, 0.8]))
    return options


def random_request(config, loop, seed, rng):
    block = config.block_size
    past = rng.random() < 0.3
    length = rng.randint(1, block + 20 if past else block // 2)
    request = {"prompt_ids": [rng.randrange(config.vocab_size) for _ in range(length)], "seed": seed,
               "max_length": max(length, block) + 12 if past else rng.randint(length, block)}
    if past:
        request["past_block"] = "crop"
    if rng.random() < 0.4:
        request["stop_ids"] = rng.sample(range(config.vocab_size), 3)
    options = random_options(loop, rng)
    return {**request, **options, "loop": loop}, options


def check_loops(chorus, name, config, state, path, rng):
    model, compared, cases = Gpt2(config, state), 0, []
    for loop in ("talk", "nanogpt", "transformers"):
        for seed in SEEDS:
            request, options = random_request(config, loop, seed, rng)
            if loop == "talk" and options["top_k"] == 0:
                request["top_k"] = options["top_k"] = 7
            if loop != "talk" and options["top_k"] == 0:
                options["top_k"] = None
            generator = torch.Generator().manual_seed(seed)
            cases.append((request, continue_text(model, request, loop, options, generator)))
    results = chorus_program.generate(chorus, path, [request for request, _ in cases], "--dtype", "f32")
    for (request, reference), result in zip(cases, results):
        compared += chorus_program.check_generation(f"{name}, {request['loop']}", request, result, *reference)
    print(f"{name}: {compared} tokens equal", flush=True)
    return compared


def check_one_stream(chorus, name, config, state, path, loop, rng):
    """Samples one after another from one generator, as sample.py makes its num_samples."""
    model = Gpt2(config, state)
    for seed in SEEDS[:5]:
        prompt = [rng.randrange(config.vocab_size) for _ in range(5)]
        request = {"prompt_ids": prompt, "max_length": 25, "seed": seed, "top_k": 30, "temperature": 0.8,
                   "loop": loop, "n": 4, "one_stream": True,
                   "stop_ids": [] if loop == "nanogpt" else rng.sample(range(config.vocab_size), 8)}
        generator = torch.Generator().manual_seed(seed)
        expected = [continue_text(model, request, loop, {"top_k": 30, "temperature": 0.8}, generator)
                    for _ in range(request["n"])]
        [found] = chorus_program.generate(chorus, path, [request], "--dtype", "f32")
        for result, reference in zip(found, expected, strict=True):
            chorus_program.check_generation(f"{name}, one stream", request, result, *reference)
            if reference[2] is not None:
                break  # what follows draws from another place of the stream
    print(f"{name}: samples of one stream equal", flush=True)


def check_default(chorus, name, path, loop):
    """Without the option the loop is that of the program that the file comes from."""
    request = {"prompt_ids": [1, 2, 3], "max_length": 20, "seed": 3, "top_k": 20}
    results = chorus_program.generate(chorus, path, [request, {**request, "loop": loop}])
    others = chorus_program.generate(chorus, path, [{**request, "loop": other}
                                                    for other in ("talk", "nanogpt") if other != loop])
    if results[0]["tokens"] != results[1]["tokens"]:
        raise Mismatch(f"{name}: the default is not {loop}: {results}")
    if loop == "talk" and any(other["tokens"] == results[0]["tokens"] for other in others):
        raise Mismatch(f"{name}: the loops do not differ: no test of the default")


def main():
    chorus = sys.argv[1]
    rng = random.Random(4)
    with tempfile.TemporaryDirectory() as folder:
        config = Config(48, 300, 2, 3, 36)
        state = random_weights(config, 1)
        # Pairs of ids of one row in the embedding: equal logits, now and then at the edge of top_k.
        state["wte.weight"][1::2] = state["wte.weight"][::2]
        twins = os.path.join(folder, "twins")
        files.save_hugging_face(twins, config, state)
        total = check_loops(chorus, "pairs of equal logits", config, state, twins, rng)

        config = Config(40, 50257, 1, 2, 20)
        state = random_weights(config, 2, stop_logit=6.0)
        whole = os.path.join(folder, "whole")
        files.save_hugging_face(whole, config, state)
        total += check_loops(chorus, "GPT-2's vocabulary", config, state, whole, rng)

        config = Config(32, 999, 2, 2, 32)
        state = random_weights(config, 3)
        places = {loop: os.path.join(folder, loop) for loop in ("talk.pt", "nanogpt.pt", "transformers")}
        files.save_build_nanogpt(places["talk.pt"], config, state)
        files.save_nanogpt(places["nanogpt.pt"], config, state)
        files.save_hugging_face(places["transformers"], config, state)
        total += check_loops(chorus, "build-nanogpt", config, state, places["talk.pt"], rng)
        for file, path in places.items():
            loop = file.removesuffix(".pt")
            check_default(chorus, file, path, loop)
            if loop != "nanogpt":
                check_one_stream(chorus, file, config, state, path, loop, rng)
        check_one_stream(chorus, "nanogpt", config, state, places["talk.pt"], "nanogpt", rng)
    print(f"{total} tokens equal to three loops on PyTorch {torch.__version__}")


chorus_program.report(main)
