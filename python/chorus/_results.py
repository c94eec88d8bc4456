"""What comes back: plain values, which may be pickled, compared and kept after the engine is gone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Token:
    """A token with its log-probability under the model (temperature and the like left out).

    Attributes:
        logprob: Natural logarithm; None where it was not asked for, or nothing stands before the token.
        top: The likeliest tokens there, as many as were asked for: (id, logprob), descending.
    """

    id: int
    logprob: float | None
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Usage:
    """What a sample has cost. Seconds are counted from the call on.

    Attributes:
        cached_tokens: Of the prompt, whose keys and values were there already.
        queue_seconds: Until its first row was computed.
        first_token_seconds: Until its first token was chosen; 0 if there is none.
        seconds: Until it ended.
    """

    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    queue_seconds: float
    first_token_seconds: float
    seconds: float


@dataclass(frozen=True)
class Completion:
    """A finished sample. ``str(completion)`` is the prompt's text and the result's.

    Attributes:
        text: The result's text, without the prompt's and without what ended it.
        ids: The tokens chosen, with the one that ended the text.
        prompt: The prompt's text.
        finish_reason: ``"stop"`` (end of text, stop string or id), ``"length"`` or ``"cancelled"``.
        seed: Of this sample: the same seed gives the same text.
        tokens: The result's tokens with their log-probabilities, if ``logprobs`` was given.
        prompt_tokens: The prompt's, if ``prompt_logprobs`` was given.
    """

    text: str
    ids: list[int]
    prompt: str
    prompt_ids: list[int]
    finish_reason: str
    seed: int
    usage: Usage
    tokens: list[Token] | None = field(default=None, repr=False)
    prompt_tokens: list[Token] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.prompt + self.text


class Piece(str):
    """A part of a text that has become certain: whole characters, and never part of a stop string.

    One comes for each token, empty while a character or stop string is not yet decided, and one more at the
    end if something was held back.

    Attributes:
        sample: Which sample it belongs to (``n``), from 0.
        token: The token; None in the last piece, which has none of its own.
    """

    sample: int
    token: Token | None

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
    """Log-probabilities of a text's tokens, each given those before it.

    Attributes:
        logprobs: Shape (tokens,): natural logarithms; NaN where a token has no context (the first, without
            ``bos``).
        contexts: Shape (tokens,): how many tokens stood before each in the window it was read in.
        loss: Mean of -logprob over the tokens that have one, in nats; NaN if none has.
        ranks: Shape (tokens,), with ``rank_and_entropy``: 1 for the likeliest token there; 0 without a
            context.
        entropies: Shape (tokens,), with ``rank_and_entropy``: of all that could have stood there, in bits;
            NaN without a context.
    """

    ids: list[int]
    logprobs: npt.NDArray[np.float64]
    contexts: npt.NDArray[np.int32]
    loss: float
    ranks: npt.NDArray[np.int32] | None = None
    entropies: npt.NDArray[np.float64] | None = None

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
    """What a model is.

    Attributes:
        block_size: Positions: the most tokens of prompt and result together.
        vocab_size: Ids, padding included.
        activation: ``"gelu_new"`` (tanh), ``"gelu"`` (erf) or ``"relu"``.
        parameters: Tied weights once.
        dtype: Of the matrices in memory: ``"f32"``, ``"bf16"``, ``"bf16-f32"``, ``"int8"`` or ``"int4"``.
        instructions: Of the kernels: ``"scalar"``, ``"avx2"`` or ``"avx512"``.
        amx: Whether AMX makes products of its matrices, beside avx512.
        kv_bytes: The most that keys and values may take.
        tokenizer: In a few words; empty: the model takes and gives ids alone.
        eos: The ids that end a text.
        loop: Whose generation loop is repeated unless told otherwise: ``"talk"``, ``"nanogpt"`` or
            ``"transformers"``.
        notes: What the checkpoint left open and how it was decided, and what the machine has and cannot be
            used, a sentence each.
        step: Of the training, if the checkpoint says it.
    """

    path: str
    block_size: int
    vocab_size: int
    n_layer: int
    n_head: int
    n_embd: int
    activation: str
    parameters: int
    dtype: str
    instructions: str
    amx: bool
    threads: int
    weight_bytes: int
    kv_bytes: int
    tokenizer: str
    eos: tuple[int, ...]
    loop: str
    notes: tuple[str, ...]
    step: int | None
    val_loss: float | None


@dataclass(frozen=True)
class Stats:
    """Counts since the engine was loaded, and its state now.

    Attributes:
        running: Samples that run now.
        waiting: Samples that wait now.
        kv_usage: Of the pages of keys and values that may be held, the share that is.
        kv_reserved: The same, with what is reserved for running samples.
        prefix_queries: Prompt tokens looked for in the prefix cache.
        prefix_hits: And found there.
    """

    running: int
    waiting: int
    kv_usage: float
    kv_reserved: float
    prefix_queries: int
    prefix_hits: int
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
