"""The keyword arguments of a request, for whoever generates."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypedDict, Union

from . import _core


class Options(TypedDict, total=False):
    """How tokens are chosen and what ends a text. None is as good as leaving one out.

    Arguments:
        max_length: Tokens of prompt and result together (100, or the block if that is less).
        max_new_tokens: Tokens of the result alone; instead of max_length.
        seed: As torch.manual_seed takes it. None: a random one, which the completion tells.
        temperature: Divides the logits; 0: always the likeliest token (1).
        top_k: Choose among the k likeliest; 0: among all (50).
        top_p: Choose among the likeliest that together have this probability (1).
        min_p: Leave out what has less than this share of the likeliest's probability (0).
        repetition_penalty: Divides the positive logits of tokens seen, multiplies the negative (1).
        presence_penalty: Subtracted from the logits of tokens generated before (0).
        frequency_penalty: Subtracted for each time a token was generated before (0).
        logit_bias: Added to the logits of these ids.
        loop: Whose generation loop: "talk", "nanogpt" or "transformers" (the model's own program's).
        rng: Whose random numbers: "torch-cpu", "torch-cpu-mkl" or "torch-cuda" ("torch-cpu").
        past_block: Of a text longer than the block: "refuse", or "crop": go on with the last block of tokens.
        one_stream: Draw all samples from the one stream of the seed, as nanoGPT's sample.py does (False).
        stop: Texts before which a sample ends.
        include_stop: The stop string is part of the text (False).
        stop_ids: Ids that end a sample, beside the model's own.
        ignore_eos: Go on after the model's end of text (with nanoGPT's loop).
        min_tokens: Tokens before which nothing but the greatest length ends a sample (0).
        logprobs: Tell each token's log-probability, with so many of the likeliest beside it.
        prompt_logprobs: The same of the prompt's tokens.
        special: Names of special tokens in the prompt ("<|endoftext|>") are the tokens (False).
        cache_salt: Share the prefix cache only with requests of the same salt (0).
    """

    max_length: int | None
    max_new_tokens: int | None
    seed: int | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    min_p: float | None
    repetition_penalty: float | None
    presence_penalty: float | None
    frequency_penalty: float | None
    logit_bias: Mapping[int, float] | None
    loop: str | None
    rng: str | None
    past_block: str | None
    one_stream: bool | None
    stop: Union[str, Sequence[str], None]
    include_stop: bool | None
    stop_ids: Union[int, Collection[int], None]
    ignore_eos: bool | None
    min_tokens: int | None
    logprobs: int | None
    prompt_logprobs: int | None
    special: bool | None
    cache_salt: int | None


def checked(function: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A copy, with a seed. Errors: TypeError for a name that there is not, as functions raise it."""
    for name in options:
        if name not in Options.__annotations__:
            near = difflib.get_close_matches(name, Options.__annotations__, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")
    copy = {name: value for name, value in options.items() if value is not None}
    if isinstance(copy.get("logit_bias"), Mapping):
        copy["logit_bias"] = dict(copy["logit_bias"])
    copy.setdefault("seed", secrets.randbits(32))  # all that PyTorch's CPU generator takes of one
    return copy


assert set(_core.request_fields()) | {"special"} == set(Options.__annotations__) | {"n"}
