"""Texts and ids as people have them: str, lists, arrays, tensors. Everything is checked and named here."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, Union

import numpy as np
import numpy.typing as npt

from ._errors import invalid, shown

IdArray = npt.NDArray[np.int32]


class HasArray(Protocol):
    """A tensor, or a column of pandas and the like."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any: ...


class HasDlpack(Protocol):
    """A tensor."""

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...


# Of one text's ids, or of several texts: no type says which.
Array = Union[npt.NDArray[Any], HasArray, HasDlpack]
# A text, or its ids.
Plain = Union[str, Sequence[int]]
Prompt = Union[Plain, Array]

_MOST = np.iinfo(np.int32).max


def flag(value: Any, field: str) -> bool:
    """True or False, of Python or NumPy."""
    if not isinstance(value, (bool, np.bool_)):
        raise invalid(field, f"expected True or False, found {shown(value)}")
    return bool(value)


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, of Python, NumPy or whatever has an index."""
    if isinstance(value, int):
        return not isinstance(value, bool)
    if isinstance(value, np.bool_) or getattr(value, "ndim", 0) != 0:
        return False
    try:
        operator.index(value)
    except TypeError:
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


def is_array(values: Any) -> bool:
    return hasattr(values, "__array__") or hasattr(values, "__dlpack__")


def as_array(values: Any, field: str) -> npt.NDArray[Any]:
    """The array that `values` is, or can be seen as."""
    if values is None or isinstance(values, (str, bytes, bytearray, dict)):
        raise invalid(field, f"expected ids (whole numbers), found {shown(values)}")
    if np.ma.is_masked(values):
        raise invalid(field, f"expected an array without missing values, found {shown(values)}")
    try:
        if hasattr(values, "__array__") or not hasattr(values, "__dlpack__"):
            return np.asarray(values)
        return np.from_dlpack(values)
    except Exception as error:
        if "inhomogeneous" in str(error):
            raise invalid(field, f"expected ids in rows of one length, found {shown(values)}") from None
        raise invalid(field, f"expected an array of whole numbers, found {type(values).__name__} "
                             f"({error})") from error


def _is_nested(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _first_wrong(values: Any, place: str) -> str | None:
    """The first of nested lists that is no whole number, with its place."""
    for i, value in enumerate(values):
        at = f"{place}[{i}]"
        if _is_nested(value):
            if found := _first_wrong(value, at):
                return found
        elif not is_whole(value) or not -2**63 <= value.__index__() < 2**64:
            return f"{shown(value)} at {at}"
    return None


def _has_flags(values: Any) -> bool:
    """Whether there is a True or False in nested lists: among numbers NumPy makes 1 and 0 of them."""
    kinds = set(map(type, values))
    return not kinds.isdisjoint((bool, np.bool_)) or any(
        _has_flags(value) for value in values if isinstance(value, (list, tuple)))


def _whole_numbers(values: Any) -> Any:
    """Nested lists of whole numbers of any type as those of Python's own."""
    return [_whole_numbers(value) if _is_nested(value) else value.__index__() for value in values]


def id_array(values: Any, field: str, dimensions: int, vocab_size: int | None = None,
             ignored: int | None = None) -> npt.NDArray[np.int64]:
    """Whole numbers of so many dimensions, each an id (or `ignored`)."""
    listed = isinstance(values, (list, tuple))
    kinds = set(map(type, values)) if listed else set()
    arrays = {kind for kind in kinds if is_array(kind) and not issubclass(kind, np.generic)}
    if arrays:  # tensors, perhaps, which NumPy need not know inside of a list
        values = [as_array(one, f"{field}[{i}]") if type(one) in arrays else one for i, one in enumerate(values)]
    array = as_array(values, field)
    if array.ndim != dimensions:
        shape = {1: "one text's ids", 2: "ids of shape (B, T)"}[dimensions]
        raise invalid(field, f"expected {shape}, found " + (f"shape {array.shape}" if array.ndim else shown(values)))
    if array.size == 0:
        return np.zeros(array.shape, np.int64)
    if array.dtype.kind not in "iu" or (listed and _has_flags(values)):
        if not listed and array.dtype.kind != "O":
            raise invalid(field, f"expected whole numbers, found an array of {array.dtype}")
        items = values if listed else array
        if wrong_one := _first_wrong(items, field):
            raise invalid(field, f"expected whole numbers, found {wrong_one}")
        array = np.array(_whole_numbers(items), object)  # signs and sizes that have no type of NumPy's in common
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


def opened(values: Any, field: str) -> Any:
    """What tensors, arrays and columns of any library hold: a NumPy array of ids, or a list of texts or of lists of
    ids. Anything else stays as it is. Errors: InvalidArgumentError for a table of texts."""
    if isinstance(values, str) or not is_array(values):
        return values
    array = as_array(values, field)
    if array.dtype.kind not in "OUT" or array.ndim == 0:
        return array
    texts = any(isinstance(value, str) for value in array.flat)
    if array.ndim > 1 and texts:
        raise invalid(field, f"expected a column, found a table of {len(array)} rows "
                             f"({type(values).__name__}): give one column of it")
    if texts or array.size == 0 or (array.ndim == 1 and _is_nested(array[0])):
        return list(array)
    return array


def is_batch(prompts: Any, field: str) -> bool:
    """Whether it is several texts, and not the text or the ids of one. Of arrays, what opened() gives."""
    if isinstance(prompts, str):
        return False
    if isinstance(prompts, (bytes, bytearray)):
        raise invalid(field, f"expected a text (str), found {type(prompts).__name__}: decode it first")
    if isinstance(prompts, np.ndarray):
        return prompts.ndim > 1
    expected = "ids" if field == "ids" else "a text, ids,"
    if not isinstance(prompts, Iterable) or isinstance(prompts, dict):
        raise invalid(field, f"expected {expected} or a list of them, found {shown(prompts)}")
    if not isinstance(prompts, Sequence):
        raise invalid(field, f"expected a list, found {type(prompts).__name__}: list(...) makes one of it")
    if len(prompts) == 0:
        raise invalid(field, f"expected {expected} or a list of them, found an empty list")
    first = prompts[0]
    if is_array(first) and not isinstance(first, (np.generic, str)):
        return as_array(first, f"{field}[0]").ndim > 0
    return isinstance(first, Sequence) or any(issubclass(kind, (str, bytes)) for kind in set(map(type, prompts)))
