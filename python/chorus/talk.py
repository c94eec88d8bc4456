"""The classes of the talk's program, on Chorus: the same names and arguments, the same texts.

Everything of a text is as in the talk but one thing: there a text ends at a token that is part of a character,
or a control character; here it goes on.
"""

from __future__ import annotations

import logging
import os
import pathlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ._engine import Engine
from ._errors import InvalidArgumentError, invalid, shown
from ._inputs import id_array, is_whole, word
from ._models import path_of

logger = logging.getLogger("chorus")

TALK_SEED = 42
TALK_LENGTH = 1024
IGNORED = -100  # the target that torch's cross_entropy leaves out


@dataclass
class GPTConfig:
    """A model's shape."""

    block_size: int = 1024
    vocab_size: int = 50304
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768


class GPT:
    """A GPT-2 for inference: GPT.from_local_pretrained() or GPT.from_pretrained() makes one.

    Any number of threads may use one at once; they share its weights and every pass over them.
    """

    def __init__(self, engine: Engine, manual_seed: int | None = None) -> None:
        if not isinstance(engine, Engine):
            raise invalid("engine", f"expected a chorus.Engine, found {shown(engine)}: GPT.from_local_pretrained() or "
                                    "GPT.from_pretrained() makes a model")
        info = engine.info
        self.engine = engine
        self.config = GPTConfig(info.block_size, info.vocab_size, info.n_layer, info.n_head, info.n_embd)
        self.manual_seed = TALK_SEED if manual_seed is None else manual_seed
        self.device = "cpu"

    @classmethod
    def from_local_pretrained(cls, model_path: str | os.PathLike[str], map_location: Any = "cpu",
                              manual_seed: int | None = None, **options: Any) -> GPT:
        """Loads a checkpoint file (model_19072.pt) or folder.

        `manual_seed` is what generate() takes without a seed of its own (42). `options` are chorus.Engine's.
        """
        _check_device(map_location, "map_location")
        path = pathlib.Path(path_of(model_path, "model_path", "a path"))
        return cls._loaded(path, str(path), manual_seed, options)

    @classmethod
    def from_pretrained(cls, model_name: str, map_location: Any = "cpu", manual_seed: int | None = None,
                        **options: Any) -> GPT:
        """Loads a model by name: "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", or "owner/name" of a Hugging Face
        repository, which is fetched once."""
        _check_device(map_location, "map_location")
        if not isinstance(model_name, str) or not model_name:
            raise invalid("model_name", f'expected a name, as "gpt2", found {shown(model_name)}')
        name = model_name
        if "/" in name and ":" not in name and not os.path.exists(name):
            name = "hf:" + name
        return cls._loaded(name, model_name, manual_seed, options)

    @classmethod
    def _loaded(cls, model: str | pathlib.Path, name: str, manual_seed: int | None, options: dict[str, Any]) -> GPT:
        start = time.perf_counter()
        engine = Engine(model, **options)
        for note in engine.info.notes:
            logger.info("note: %s", note)
        logger.info("Loaded %s in %.3f seconds.", name, time.perf_counter() - start)
        if engine.info.step is not None:
            logger.info("Loaded model from step %s, val_loss %s", engine.info.step, engine.info.val_loss)
        return cls(engine, manual_seed)

    def generate(self, text: str, max_length: int = TALK_LENGTH, top_k: int = 50, seed: int | None = None,
                 save_rate: Callable[[float], object] | None = None) -> str:
        """The text, continued to max_length tokens in all, or to the end of text.

        `seed` None is the model's manual_seed, 42 unless it was given another. A model whose block is shorter
        than the default of 1024 writes as much as its block holds. `save_rate` is called with the tokens per
        second.
        """
        ids = self.engine.encode(word(text, "text", "a text (str)"))
        if not ids:
            raise invalid("text", "expected at least one token, found none")
        if not is_whole(max_length):
            raise invalid("max_length", f"expected a whole number, found {shown(max_length)}")
        if max_length == TALK_LENGTH > self.config.block_size:
            max_length = self.config.block_size
        start = time.perf_counter()
        result, count = "", 0
        if len(ids) < max_length:
            completion = self.engine.generate(ids, max_length=max_length, top_k=top_k, loop="talk",
                                              seed=self.manual_seed if seed is None else seed)
            result, count = completion.text, len(completion.ids)
        elapsed = time.perf_counter() - start
        rate = count / elapsed if elapsed > 0 else 0.0
        if save_rate is not None:
            save_rate(rate)
        logger.info("Generated %d tokens in %.2f seconds (%.2f tokens/sec)", count, elapsed, rate)
        return text + result

    def __call__(self, idx: Any, targets: Any = None) -> tuple[npt.NDArray[np.float32], np.float64 | None]:
        """The model's logits, and the loss if there are targets.

        `idx`: whole numbers of shape (B, T): a NumPy array, or anything with ``__array__`` or DLPack, such as a
        tensor of PyTorch. `targets`: the same shape, the token that follows each; -100 leaves one out. Gives
        logits, float32 of shape (B, T, V), and the mean cross entropy in nats (a float; None without targets).
        """
        try:
            ids = self.engine._checked_ids(idx, "idx", 2)
        except InvalidArgumentError as error:
            raise error from None
        wanted = None
        if targets is not None:
            wanted = id_array(targets, "targets", 2, self.config.vocab_size, ignored=IGNORED)
            if wanted.shape != ids.shape:
                raise invalid("targets", f"expected the shape of idx, {ids.shape}, found {wanted.shape}")
        logits = self.engine.logits(ids) if ids.size else np.zeros((*ids.shape, self.config.vocab_size), np.float32)
        return logits, None if wanted is None else _cross_entropy(logits, wanted)

    forward = __call__

    def eval(self) -> GPT:
        """Itself: there is nothing to switch off."""
        return self

    def to(self, device: Any) -> GPT:
        """Itself. Errors: InvalidArgumentError for a device that is not the CPU."""
        _check_device(device, "device")
        return self

    def __repr__(self) -> str:
        return f"<chorus.GPT {self.config}>"


def _check_device(device: Any, field: str) -> None:
    if device is not None and str(device).split(":")[0] != "cpu":
        raise invalid(field, f'expected "cpu", on which Chorus computes, found {shown(str(device))}')


def _cross_entropy(logits: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]) -> np.float64:
    """As torch's cross_entropy: the mean over the targets that are not left out; NaN if all are."""
    total, count = 0.0, 0
    for rows, wanted in zip(logits, targets):
        for begin in range(0, len(rows), 64):  # a few rows at a time: each is a vocabulary of doubles
            chunk, ids = rows[begin:begin + 64].astype(np.float64), wanted[begin:begin + 64]
            kept = ids != IGNORED
            chunk, ids = chunk[kept], ids[kept]
            if len(ids) == 0:
                continue
            largest = chunk.max(axis=1)
            sums = np.log(np.exp(chunk - largest[:, None]).sum(axis=1)) + largest
            total += float((sums - chunk[np.arange(len(ids)), ids]).sum())
            count += len(ids)
    return np.float64(total / count if count else np.nan)
