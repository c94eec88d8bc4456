"""Texts and ids as people have them: str, lists, arrays, tensors. Everything is checked and named here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ._errors import invalid

IdArray = npt.NDArray[np.int32]
# Ids of one text: a list, a NumPy array, or anything with __array__ or DLPack, of whole numbers.
Ids = Union[Sequence[int], npt.NDArray[Any]]
Prompt = Union[str, Ids]

_MOST = np.iinfo(np.int32).max


def utf8(text: str, field: str) -> bytes:
    """A lone surrogate, which no UTF-8 can say, is U+FFFD, as tiktoken takes it."""
    if not isinstance(text, str):
        raise invalid(field, f"expected a text (str), found {type(text).__name__}")
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def as_array(values: Any, field: str) -> npt.NDArray[Any]:
    """The array that `values` is, or can be seen as."""
    try:
        if hasattr(values, "__array__") or not hasattr(values, "__dlpack__"):
            return np.asarray(values)
        return np.from_dlpack(values)
    except Exception as error:
        raise invalid(field, f"expected an array of whole numbers, found {type(values).__name__} "
                             f"({error})") from error


def id_array(values: Any, field: str, dimensions: int, vocab_size: int | None = None,
             ignored: int | None = None) -> npt.NDArray[np.int64]:
    """Whole numbers of so many dimensions, each an id (or `ignored`)."""
    array = as_array(values, field)
    if array.ndim != dimensions:
        shape = {1: "one text's ids", 2: "ids of shape (B, T)"}[dimensions]
        raise invalid(field, f"expected {shape}, found shape {array.shape}")
    if array.size == 0:
        return np.zeros(array.shape, np.int64)
    if array.dtype.kind not in "iu":
        raise invalid(field, f"expected whole numbers, found {array.dtype}")
    most = _MOST if vocab_size is None else vocab_size - 1
    wrong = (array < 0) | (array > most)
    if ignored is not None:
        wrong &= array != ignored
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        index = "".join(f"[{i}]" for i in place)
        raise invalid(field, f"expected ids from 0 to {most}, found {array[place]} at {field}{index}")
    return array.astype(np.int64)


def ids_of(values: Any, field: str) -> IdArray:
    """One text's ids, as the library takes them; which ids the model has, it says itself."""
    return np.ascontiguousarray(id_array(values, field, 1), np.int32)


def is_batch(prompts: Any, field: str) -> bool:
    """Whether it is several texts, and not the text or the ids of one."""
    if isinstance(prompts, str):
        return False
    if isinstance(prompts, (bytes, bytearray)):
        raise invalid(field, f"expected a text (str), found {type(prompts).__name__}: decode it first")
    if isinstance(prompts, np.ndarray) or hasattr(prompts, "__array__") or hasattr(prompts, "__dlpack__"):
        return as_array(prompts, field).ndim > 1
    if not isinstance(prompts, Iterable) or isinstance(prompts, dict):
        raise invalid(field, f"expected a text, ids, or a list of them, found {type(prompts).__name__}")
    if not isinstance(prompts, Sequence):
        raise invalid(field, f"expected a list, found {type(prompts).__name__}: list(...) makes one of it")
    if len(prompts) == 0:
        raise invalid(field, "expected a text, ids, or a list of them, found an empty list")
    first = prompts[0]
    return isinstance(first, (str, bytes)) or isinstance(first, (Sequence, np.ndarray)) or \
        (hasattr(first, "__array__") and np.ndim(first) > 0)
