"""Surprisal of words or tokens, for those who study reading: a table as `chorus score --csv` writes it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._engine import Engine
from ._errors import invalid, shown
from ._inputs import flag, opened, utf8
from .talk import GPT


_logger = logging.getLogger("chorus")


class SurprisalTable(np.ndarray[Any, np.dtype[np.void]]):
    """A structured array with a row for each word, or token: ``table["surprisal"]``, ``table[table["row"] == 1]``.

    Of words the fields are row (the sentence, from 1), position (the word in it, from 1), word, tokens (of how many
    it is made) and surprisal (bits; NaN without a context). Of tokens: row, position, token (its text, or ``bytes:\\xe2\\x80`` for part of a character), id, context (how
    many tokens it was given), surprisal, rank (1 for the likeliest; 0 without a context) and entropy (bits).
    """

    def __getitem__(self, key: Any) -> Any:
        """A field is a plain array of its values."""
        found = super().__getitem__(key)
        return found.view(np.ndarray) if isinstance(found, SurprisalTable) and found.dtype.names is None else found

    def to_pandas(self) -> Any:
        """The same as a pandas.DataFrame. Errors: ImportError without pandas."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError(f"to_pandas() needs pandas (pip install pandas): {error}") from error
        return pandas.DataFrame({name: np.asarray(self[name]) for name in self.dtype.names or ()})


_WORDS = np.dtype([("row", np.int64), ("position", np.int64), ("word", object), ("tokens", np.int64),
                   ("surprisal", np.float64)])
_TOKENS = np.dtype([("row", np.int64), ("position", np.int64), ("token", object), ("id", np.int64),
                    ("context", np.int64), ("surprisal", np.float64), ("rank", np.int64), ("entropy", np.float64)])


def surprisal(sentences: str | Iterable[str], words: bool = True, *,
              model: Engine | GPT | str | os.PathLike[str] | None = None, boundary: str = "corrected", bos: bool = False,
              stride: int = 0) -> SurprisalTable:
    """The surprisal of every word (or, with words=False, token) of the sentences, in bits.

    Arguments:
        sentences: a text, or several: a list, a generator, a NumPy array or a column of a pandas.DataFrame. A byte
            order mark in front of one is no part of it.
        words: words between white space, with their punctuation; False: the model's tokens.
        model: an Engine (or a GPT), or what one is loaded from ("gpt2", a path). None: the small model in the package.
        boundary: "corrected", with Pimentel and Meister's correction for where a word ends, or "leading".
        bos: put the model's beginning of a text in front, so that the first word has a surprisal, too.
        stride: texts over the block are read in windows that start so many tokens apart (0: half the block), which
            is logged (logger ``chorus``, a warning).

    docs/surprisal.md says what a word's surprisal is. Errors: InvalidArgumentError, naming the sentence.
    """
    texts = _texts(sentences)
    words = flag(words, "words")
    if isinstance(model, GPT):
        model = model.engine
    if isinstance(model, Engine):
        return _table(model, texts, words, boundary, bos, stride)
    with Engine(model) as engine:
        return _table(engine, texts, words, boundary, bos, stride)


def _texts(sentences: Any) -> list[str]:
    """The texts, in their order."""
    if isinstance(sentences, str):
        sentences = [sentences]
    unordered = isinstance(sentences, (bytes, bytearray, Mapping, Set))
    given = sentences
    if not unordered:
        sentences = opened(sentences, "sentences")
    if unordered or not isinstance(sentences, Iterable) or getattr(sentences, "ndim", 1) == 0:
        raise invalid("sentences", f"expected a text or several in order, found {shown(given)}")
    if getattr(sentences, "ndim", 1) > 1:
        raise invalid("sentences", f"expected a column of texts, found {shown(given)}")
    texts = list(sentences)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise invalid("sentences", f"expected texts (str), found {shown(text)} at sentences[{i}]")
        if _core.is_blank(utf8(text, "sentences").decode()):
            raise invalid("sentences", f"expected texts, found an empty one at sentences[{i}]")
    return texts


def _table(engine: Engine, texts: list[str], words: bool, boundary: str, bos: bool, stride: int) -> SurprisalTable:
    # The word of the boundary is read in any case, so that a wrong one is never passed over.
    if not isinstance(boundary, str) or boundary not in ("corrected", "leading"):
        raise invalid("boundary", f"expected corrected or leading, found {shown(boundary)}")
    rows: list[tuple[Any, ...]] = []
    scored = engine._score(texts, "sentences[{}]", bos, stride, False, not words, boundary if words else None)
    in_windows = []
    for row, (score, found) in enumerate(scored, 1):
        if score.contexts[-1] != score.contexts[0] + len(score.ids) - 1:
            in_windows.append(row - 1)
        if words:
            for position, (word, _, _, first, end, logprob) in enumerate(found, 1):
                rows.append((row, position, word, end - first, _bits(logprob)))
            continue
        assert score.ranks is not None and score.entropies is not None
        for i, id in enumerate(score.ids):
            rows.append((row, i + 1, engine._core.token_name(id), id, score.contexts[i], _bits(score.logprobs[i]),
                         score.ranks[i], score.entropies[i]))
    if in_windows:
        others = f" and {len(in_windows) - 1} more" if len(in_windows) > 1 else ""
        _logger.warning("sentences[%d]%s: more tokens than the model's block of %d: read in windows (stride)",
                        in_windows[0], others, engine.info.block_size)
    table: npt.NDArray[np.void] = np.array(rows, _WORDS if words else _TOKENS)
    return table.view(SurprisalTable)


def _bits(logprob: float | None) -> float:
    return float("nan") if logprob is None else float(-logprob / np.log(2.0)) + 0.0
