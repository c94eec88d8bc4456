"""What comes back: plain values, which may be pickled, compared and kept after the engine is gone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Token:
    """A token with its log-probability under the model (temperature and the like left out)."""

    id: int
    logprob: float | None
    """Natural logarithm; None where it was not asked for, or nothing stands before the token."""
    top: tuple[tuple[int, float], ...] = ()
    """The likeliest tokens there, as many as were asked for: (id, logprob), descending."""


@dataclass(frozen=True)
class Usage:
    """What a sample has cost. Seconds are counted from the call on."""

    prompt_tokens: int
    cached_tokens: int
    """Of the prompt, whose keys and values were there already."""
    generated_tokens: int
    queue_seconds: float
    """Until its first row was computed."""
    first_token_seconds: float
    """Until its first token was chosen; 0 if there is none."""
    seconds: float
    """Until it ended."""


@dataclass(frozen=True)
class Completion:
    """A finished sample. ``str(completion)`` is the prompt's text and the result's."""

    text: str
    """The result's text, without the prompt's and without what ended it."""
    ids: list[int]
    """The tokens chosen, with the one that ended the text."""
    prompt: str
    """The prompt's text."""
    prompt_ids: list[int]
    finish_reason: str
    """``"stop"`` (end of text, stop string or id), ``"length"`` or ``"cancelled"``."""
    seed: int
    """Of this sample: the same seed gives the same text."""
    usage: Usage
    tokens: list[Token] | None = field(default=None, repr=False)
    """The result's tokens with their log-probabilities, if ``logprobs`` was given."""
    prompt_tokens: list[Token] | None = field(default=None, repr=False)
    """The prompt's, if ``prompt_logprobs`` was given."""

    def __str__(self) -> str:
        return self.prompt + self.text


class Piece(str):
    """A part of a text that has become certain: whole characters, and never part of a stop string.

    One comes for each token, empty while a character or stop string is not yet decided, and one more at the
    end if something was held back.
    """

    sample: int
    """Which sample it belongs to (``n``), from 0."""
    token: Token | None
    """The token; None in the last piece, which has none of its own."""

    __slots__ = ("sample", "token")

    def __new__(cls, text: str, sample: int, token: Token | None) -> Piece:
        piece = super().__new__(cls, text)
        piece.sample = sample
        piece.token = token
        return piece

    def __getnewargs__(self) -> tuple[Any, ...]:  # type: ignore[override]
        return str(self), self.sample, self.token


@dataclass(frozen=True, eq=False)
class Score:
    """Log-probabilities of a text's tokens, each given those before it."""

    ids: list[int]
    logprobs: npt.NDArray[np.float64]
    """Shape (tokens,): natural logarithms; NaN where a token has no context (the first, without ``bos``)."""
    contexts: npt.NDArray[np.int32]
    """Shape (tokens,): how many tokens stood before each in the window it was read in."""
    loss: float
    """Mean of -logprob over the tokens that have one, in nats; NaN if none has."""
    ranks: npt.NDArray[np.int32] | None = None
    """Shape (tokens,), with ``rank_and_entropy``: 1 for the likeliest token there; 0 without a context."""
    entropies: npt.NDArray[np.float64] | None = None
    """Shape (tokens,), with ``rank_and_entropy``: of all that could have stood there, in bits; NaN without a
    context."""

    @property
    def surprisal(self) -> npt.NDArray[np.float64]:
        """Shape (tokens,): -log2 of the probabilities, in bits."""
        bits: npt.NDArray[np.float64] = self.logprobs / -math.log(2.0)
        return bits

    @property
    def perplexity(self) -> float:
        """exp(loss)."""
        return math.exp(self.loss)


@dataclass(frozen=True)
class ModelInfo:
    """What a model is."""

    path: str
    block_size: int
    """Positions: the most tokens of prompt and result together."""
    vocab_size: int
    """Ids, padding included."""
    n_layer: int
    n_head: int
    n_embd: int
    activation: str
    """``"gelu_new"`` (tanh), ``"gelu"`` (erf) or ``"relu"``."""
    parameters: int
    """Tied weights once."""
    dtype: str
    """Of the matrices in memory: ``"f32"``, ``"bf16"``, ``"bf16-f32"``, ``"int8"`` or ``"int4"``."""
    instructions: str
    """Of the kernels: ``"scalar"``, ``"avx2"`` or ``"avx512"``."""
    amx: bool
    """Whether AMX makes products of its matrices, beside avx512."""
    threads: int
    weight_bytes: int
    kv_bytes: int
    """The most that keys and values may take."""
    tokenizer: str
    """In a few words; empty: the model takes and gives ids alone."""
    eos: tuple[int, ...]
    """The ids that end a text."""
    loop: str
    """Whose generation loop is repeated unless told otherwise: ``"talk"``, ``"nanogpt"`` or ``"transformers"``."""
    notes: tuple[str, ...]
    """What the checkpoint left open and how it was decided, and what the machine has and cannot be used, a sentence each."""
    step: int | None
    """Of the training, if the checkpoint says it."""
    val_loss: float | None


@dataclass(frozen=True)
class Stats:
    """Counts since the engine was loaded, and its state now."""

    running: int
    """Samples that run now."""
    waiting: int
    """Samples that wait now."""
    kv_usage: float
    """Of the pages of keys and values that may be held, the share that is."""
    kv_reserved: float
    """The same, with what is reserved for running samples."""
    prefix_queries: int
    """Prompt tokens looked for in the prefix cache."""
    prefix_hits: int
    """And found there."""
    prompt_tokens: int
    generated_tokens: int
    steps: int


def token_of(values: tuple[Any, ...]) -> Token:
    return Token(values[0], values[1], tuple(values[2]))


def tokens_of(values: list[tuple[Any, ...]] | None) -> list[Token] | None:
    return None if values is None else [token_of(value) for value in values]


def piece_of(values: tuple[Any, ...]) -> Piece:
    sample, text, token = values
    return Piece(text, sample, None if token is None else token_of(token))
