"""Runs the program under test, and compares what it says with what PyTorch said. Needs no PyTorch."""

import json
import subprocess
import sys

LOGPROB_TOLERANCE = 2e-4


class Mismatch(Exception):
    """What the program said, where, and what PyTorch says."""


def run(program, *arguments, text=None):
    """The standard output of the program, which must succeed."""
    command = [program, *map(str, arguments)]
    process = subprocess.run(command, input=text, capture_output=True, text=True)
    if process.returncode != 0:
        raise Mismatch(f"{' '.join(command)}\n  exit {process.returncode}: {process.stderr.strip()}")
    return process.stdout


def messages(program, *arguments, status=0):
    """The standard error of the program, which must end with this status."""
    command = [program, *map(str, arguments)]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode != status:
        raise Mismatch(f"{' '.join(command)}\n  exit {process.returncode}: {process.stderr.strip()}")
    return process.stderr


def generate(chorus, model, requests, *options):
    """One result for each request, from one process."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    output = run(chorus, "generate", "--model", model, "--jsonl", *options, text=lines)
    results = [json.loads(line) for line in output.splitlines()]
    if len(results) != len(requests):
        raise Mismatch(f"{model}: {len(requests)} requests, but {len(results)} results")
    return results


def score(chorus, model, ids, *options):
    id_list = ",".join(map(str, ids))
    return json.loads(run(chorus, "score", "--model", model, "--ids", id_list, "--json", *options))


def check_generation(place, request, result, tokens, finish, first_near=None):
    """Token for token, up to the first choice that rounding may change. Returns tokens compared."""
    if "tokens" not in result:
        raise Mismatch(f"{place}: {request}\n  result without tokens: {result}")
    found = result["tokens"]
    if found == tokens and result["finish_reason"] == finish:
        return len(tokens) - len(request["prompt_ids"])
    length = min(len(found), len(tokens))
    at = next((i for i in range(length) if found[i] != tokens[i]), length)
    if first_near is not None and at >= first_near:
        print(f"{place}: differs from token {at} on; PyTorch's choice of token {first_near} is near")
        return first_near - len(request["prompt_ids"])
    raise Mismatch(f"{place}: {request}\n  first difference at token {at}"
                   f"\n  chorus:  {found[max(0, at - 3):at + 5]} of {len(found)}, "
                   f"finish {result['finish_reason']}"
                   f"\n  pytorch: {tokens[max(0, at - 3):at + 5]} of {len(tokens)}, finish {finish}")


def check_scores(place, result, ids, logprobs):
    """Log-probabilities within the tolerance, loss their negative mean. Returns the largest difference."""
    if result["ids"] != ids or len(result["logprobs"]) != len(ids) or result["logprobs"][0] is not None:
        raise Mismatch(f"{place}: expected ids {ids} and one logprob each, the first null: {result}")
    largest = 0.0
    for i, (found, expected) in enumerate(zip(result["logprobs"][1:], logprobs), start=1):
        largest = max(largest, abs(found - expected))
        if not abs(found - expected) <= LOGPROB_TOLERANCE:
            raise Mismatch(f"{place}: logprob of token {i} (id {ids[i]}) is {found}, "
                           f"PyTorch has {expected}, difference {found - expected:.2e}")
    loss = -sum(logprobs) / len(logprobs)
    if not abs(result["loss"] - loss) <= LOGPROB_TOLERANCE:
        raise Mismatch(f"{place}: loss {result['loss']}, PyTorch has {loss}")
    return largest


def report(main):
    """Runs main(); a mismatch is told and fails the test."""
    try:
        main()
    except Mismatch as mismatch:
        print(f"FAILED {mismatch}")
        sys.exit(1)
