"""The generation loops of nanoGPT and of transformers, as rules over logits in plain PyTorch.

What each does between the last position's logits and the next token, with one sequence and no beams:
nanoGPT's sample.py (model.generate), and transformers 4.40's generate(do_sample=True): repetition
penalty, temperature, top_k, top_p, and min_p as transformers 4.42 has it behind top_p.
"""

import math

import torch

from gpt2_reference import NEAR, STOP_TOKEN, choose


def nanogpt_scores(logits, ids, temperature=1.0, top_k=None):
    """[1, V]: what the softmax gets."""
    scores = logits / temperature
    if top_k:
        kth = torch.topk(scores, min(top_k, scores.shape[-1])).values[:, [-1]]
        scores = scores.masked_fill(scores < kth, -math.inf)
    return scores


def transformers_scores(logits, ids, temperature=1.0, top_k=None, top_p=1.0, min_p=0.0,
                        repetition_penalty=1.0):
    scores = logits
    if repetition_penalty != 1.0:
        seen = torch.tensor([sorted(set(ids))])
        of_seen = torch.gather(scores, 1, seen)
        of_seen = torch.where(of_seen < 0, of_seen * repetition_penalty, of_seen / repetition_penalty)
        scores = scores.scatter(1, seen, of_seen)
    if temperature != 1.0:
        scores = scores / temperature
    if top_k:
        kth = torch.topk(scores, min(top_k, scores.shape[-1])).values[..., -1, None]
        scores = scores.masked_fill(scores < kth, -math.inf)
    if top_p < 1.0:
        ascending, order = torch.sort(scores, descending=False)
        removed = ascending.softmax(dim=-1).cumsum(dim=-1) <= (1 - top_p)
        removed[..., -1:] = False
        scores = scores.masked_fill(removed.scatter(1, order, removed), -math.inf)
    if min_p > 0.0:
        probabilities = scores.softmax(dim=-1)
        least = min_p * probabilities.max(dim=-1, keepdim=True).values
        scores = scores.masked_fill(probabilities < least, -math.inf)
    return scores


SCORES = {"nanogpt": nanogpt_scores, "transformers": transformers_scores}


def draw(scores, generator):
    """The token that torch.multinomial draws from the softmax, and whether rounding could change it."""
    probabilities = torch.softmax(scores, dim=-1)
    same_state = torch.Generator()
    same_state.set_state(generator.get_state())
    token = torch.multinomial(probabilities, 1, generator=generator).item()
    ratios = probabilities[0] / torch.empty(probabilities.shape[1]).exponential_(generator=same_state)
    best = ratios[token].item()
    ratios[token] = 0.0
    return token, ratios.max().item() > best * (1 - NEAR)


def near_the_mask(logits, ids, loop, options):
    """Whether a score in or out of the mask could change sides by rounding of the logits."""
    scores = SCORES[loop](logits, ids, **options)
    for shift in (NEAR, -NEAR):
        shifted = {name: value * (1 - shift) if name in ("top_p", "min_p") and 0 < value < 1 else value
                   for name, value in options.items()}
        if shifted != options:
            other = SCORES[loop](logits, ids, **shifted)
            if (torch.isinf(scores) != torch.isinf(other)).any():
                return True
    if options.get("top_k"):
        k = min(options["top_k"], logits.shape[-1])
        plain = dict(options, top_k=None, top_p=1.0, min_p=0.0) if loop == "transformers" else \
            dict(options, top_k=None)
        values = torch.topk(SCORES[loop](logits, ids, **plain), min(k + 1, logits.shape[-1])).values[0]
        if len(values) > k and values[k - 1] != values[k] and values[k - 1] - values[k] < NEAR:
            return True
    return False


def next_token(loop, logits, ids, options, generator):
    if loop == "talk":
        scaled = logits / options.get("temperature", 1.0)
        return choose(torch.softmax(scaled, dim=-1), min(options["top_k"], logits.shape[-1]), generator)
    token, near = draw(SCORES[loop](logits, ids, **options), generator)
    return token, near or near_the_mask(logits, ids, loop, options)


@torch.no_grad()
def continue_text(model, request, loop, options, generator, eos=(STOP_TOKEN,)):
    """(ids, finish reason, position of the first near choice or None); past the block as nanoGPT crops."""
    ids, near_from = list(request["prompt_ids"]), None
    ends = set(request.get("stop_ids", []))
    if loop != "nanogpt":
        ends.update(eos)
    while len(ids) < request["max_length"]:
        context = ids[-model.config.block_size:]
        token, near = next_token(loop, model.logits(context, last_only=True), ids, options, generator)
        if near and near_from is None:
            near_from = len(ids)
        ids.append(token)
        if token in ends:
            return ids, "stop", near_from
    return ids, "length", near_from
