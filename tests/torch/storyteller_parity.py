"""PyTorch's own stories and scores of the storyteller checkpoint (made once, with PyTorch 1.13.1).

usage: storyteller_parity.py CHORUS FOLDER-OF-MODELS
"""

import json
import os
import sys

import chorus_program

chorus, folder = sys.argv[1:3]
model = os.path.join(folder, "storyteller.pt")
goldens_path = os.path.join(folder, "storyteller.goldens.json")
if not (os.path.exists(model) and os.path.exists(goldens_path)):
    print(f"skipped: no storyteller in {folder}")
    sys.exit(77)


def main():
    with open(goldens_path) as file:
        goldens = json.load(file)
    cases = goldens["generations"]
    requests = [{name: case[name] for name in ("prompt_ids", "max_length", "top_k", "seed")}
                for case in cases]
    results = chorus_program.generate(chorus, model, requests, "--dtype", "f32")
    compared = sum(
        chorus_program.check_generation("storyteller", request, result, case["tokens"], case["finish"])
        for request, result, case in zip(requests, results, cases))
    largest = 0.0
    for case in goldens["scores"]:
        result = chorus_program.score(chorus, model, case["ids"], "--dtype", "f32")
        largest = max(largest, chorus_program.check_scores("storyteller", result, case["ids"],
                                                           case["logprobs"]))
    print(f"storyteller: {compared} tokens equal, logprobs within {largest:.1e}")


chorus_program.report(main)
