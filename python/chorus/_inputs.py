"""Texts and ids as people have them: str, lists, arrays, tensors. Everything is checked and named here."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ._errors import invalid, shown

IdArray = npt.NDArray[np.int32]
# Ids of one text: a list, a NumPy array, or anything with __array__ or DLPack, of whole numbers.
Ids = Union[Sequence[int], npt.NDArray[Any]]
Prompt = Union[str, Ids]

_MOST = np.iinfo(np.int32).max


def flag(value: Any, field: str) -> bool:
    """True or False, of Python or NumPy."""
    if not isinstance(value, (bool, np.bool_)):
        raise invalid(field, f"expected True or False, found {shown(value)}")
    return bool(value)


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, of Python, NumPy or whatever has an index."""
    if isinstance(value, (bool, np.bool_)):
        return False
    try:
        operator.index(value)
    except TypeError:  # also of an array of more than one number
        return False
    return True


def whole(value: Any, field: str, least: int) -> int:
    """A whole number from `least`, of 64 bits."""
    if not is_whole(value) or not least <= value.__index__() < 2**63:
        raise invalid(field, f"expected a whole number from {least}, found {shown(value)}")
    return int(value.__index__())


def word(value: Any, field: str, expected: str) -> str:
    """A text that is one of a few, which the library knows."""
    if not isinstance(value, str):
        raise invalid(field, f"expected {expected}, found {shown(value)}")
    return utf8(value, field).decode()


def utf8(text: str, field: str) -> bytes:
    """A lone surrogate, which no UTF-8 can say, is U+FFFD, as tiktoken takes it."""
    if isinstance(text, (bytes, bytearray)):
        raise invalid(field, f"expected a text (str), found {type(text).__name__}: decode it first")
    if not isinstance(text, str):
        raise invalid(field, f"expected a text (str), found {shown(text)}")
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def as_array(values: Any, field: str) -> npt.NDArray[Any]:
    """The array that `values` is, or can be seen as."""
    if values is None or isinstance(values, (str, bytes, bytearray, dict)):
        raise invalid(field, f"expected ids (whole numbers), found {shown(values)}")
    try:
        if hasattr(values, "__array__") or not hasattr(values, "__dlpack__"):
            return np.asarray(values)
        return np.from_dlpack(values)
    except Exception as error:
        if "inhomogeneous" in str(error):
            raise invalid(field, f"expected ids in rows of one length, found {shown(values)}") from None
        raise invalid(field, f"expected an array of whole numbers, found {type(values).__name__} "
                             f"({error})") from error


def _first_wrong(values: Any, place: str) -> str | None:
    """The first of nested lists that is no whole number, with its place."""
    for i, value in enumerate(values):
        at = f"{place}[{i}]"
        nested = isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)
        if nested and (found := _first_wrong(value, at)):
            return found
        if not nested and (not is_whole(value) or not -2**63 <= value.__index__() < 2**64):
            return f"{shown(value)} at {at}"
    return None


def id_array(values: Any, field: str, dimensions: int, vocab_size: int | None = None,
             ignored: int | None = None) -> npt.NDArray[np.int64]:
    """Whole numbers of so many dimensions, each an id (or `ignored`)."""
    array = as_array(values, field)
    if array.ndim != dimensions:
        shape = {1: "one text's ids", 2: "ids of shape (B, T)"}[dimensions]
        raise invalid(field, f"expected {shape}, found " + (f"shape {array.shape}" if array.ndim else shown(values)))
    if array.size == 0:
        return np.zeros(array.shape, np.int64)
    if array.dtype.kind not in "iu":
        if isinstance(values, np.ndarray) and array.dtype.kind != "O":
            raise invalid(field, f"expected whole numbers, found an array of {array.dtype}")
        if wrong_one := _first_wrong(array if array.dtype.kind == "O" else values, field):
            raise invalid(field, f"expected whole numbers, found {wrong_one}")
        array = np.array(array.tolist())
        if array.dtype.kind not in "iu":  # of signs and sizes that have no type in common
            raise invalid(field, f"expected ids, found {shown(values)}")
    most = _MOST if vocab_size is None else vocab_size - 1
    wrong = (array < 0) | (array > most)
    if ignored is not None:
        wrong &= array != ignored
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        index = "".join(f"[{i}]" for i in place)
        whose = "" if vocab_size is None else " (the model's vocabulary)"
        raise invalid(field, f"expected ids from 0 to {most}{whose}, found {array[place]} at {field}{index}")
    return array.astype(np.int64)


def _is_text_array(prompts: Any) -> bool:
    """An array or column of texts, which NumPy holds as texts or as objects."""
    array = np.asarray(prompts)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind in "iufbcS":
        return False
    return isinstance(array[0], str)


def is_batch(prompts: Any, field: str) -> bool:
    """Whether it is several texts, and not the text or the ids of one."""
    if isinstance(prompts, str):
        return False
    if isinstance(prompts, (bytes, bytearray)):
        raise invalid(field, f"expected a text (str), found {type(prompts).__name__}: decode it first")
    if hasattr(prompts, "__array__") or hasattr(prompts, "__dlpack__"):
        array = as_array(prompts, field)
        return array.ndim > 1 or _is_text_array(array)
    if not isinstance(prompts, Iterable) or isinstance(prompts, dict):
        raise invalid(field, f"expected a text, ids, or a list of them, found {shown(prompts)}")
    if not isinstance(prompts, Sequence):
        raise invalid(field, f"expected a list, found {type(prompts).__name__}: list(...) makes one of it")
    if len(prompts) == 0:
        raise invalid(field, "expected a text, ids, or a list of them, found an empty list")
    first = prompts[0]
    return isinstance(first, (str, bytes)) or isinstance(first, (Sequence, np.ndarray)) or \
        (hasattr(first, "__array__") and np.ndim(first) > 0)
