"""The keyword arguments of a request, for whoever generates."""

from __future__ import annotations

import difflib
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypedDict, Union

from . import _core


class Options(TypedDict, total=False):
    """How tokens are chosen and what ends a text. None is as good as leaving one out."""

    max_length: int | None
    """Tokens of prompt and result together (100, or the block if that is less)."""
    max_new_tokens: int | None
    """Tokens of the result alone; instead of max_length."""
    seed: int | None
    """As torch.manual_seed takes it. None: a random one, which the completion tells."""
    temperature: float | None
    """Divides the logits; 0: always the likeliest token (1)."""
    top_k: int | None
    """Choose among the k likeliest; 0: among all (50)."""
    top_p: float | None
    """Choose among the likeliest that together have this probability (1)."""
    min_p: float | None
    """Leave out what has less than this share of the likeliest's probability (0)."""
    repetition_penalty: float | None
    """Divides the positive logits of tokens seen, multiplies the negative (1)."""
    presence_penalty: float | None
    """Subtracted from the logits of tokens generated before (0)."""
    frequency_penalty: float | None
    """Subtracted for each time a token was generated before (0)."""
    logit_bias: Mapping[int, float] | None
    """Added to the logits of these ids."""
    loop: str | None
    """Whose generation loop: "talk", "nanogpt" or "transformers" (the model's own program's)."""
    rng: str | None
    """Whose random numbers: "torch-cpu", "torch-cpu-mkl" or "torch-cuda" ("torch-cpu")."""
    past_block: str | None
    """Of a text longer than the block: "refuse", or "crop": go on with the last block of tokens."""
    one_stream: bool | None
    """Draw all samples from the one stream of the seed, as nanoGPT's sample.py does (False)."""
    stop: Union[str, Sequence[str], None]
    """Texts before which a sample ends."""
    include_stop: bool | None
    """The stop string is part of the text (False)."""
    stop_ids: Union[int, Collection[int], None]
    """Ids that end a sample, beside the model's own."""
    ignore_eos: bool | None
    """Go on after the model's end of text (with nanoGPT's loop)."""
    min_tokens: int | None
    """Tokens before which nothing but the greatest length ends a sample (0)."""
    logprobs: int | None
    """Tell each token's log-probability, with so many of the likeliest beside it."""
    prompt_logprobs: int | None
    """The same of the prompt's tokens."""
    special: bool | None
    """Names of special tokens in the prompt ("<|endoftext|>") are the tokens (False)."""
    cache_salt: int | None
    """Share the prefix cache only with requests of the same salt (0)."""


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
