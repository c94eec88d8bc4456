"""Exceptions: what went wrong, as one class for each kind, with the field that it was about."""

from __future__ import annotations

import re
from typing import Any


class ChorusError(Exception):
    """Any error of Chorus. ``str(error)`` says what was wrong, where, and what was expected.

    Attributes:
        code: the kind, in a word: ``"invalid_argument"``, ``"not_found"``, ``"corrupt"``, ``"unsupported"``,
            ``"io"``, ``"network"``, ``"overloaded"``, ``"unavailable"`` or ``"out_of_memory"``.
        field: the argument that it is about (``"top_k"``, ``"prompt"``), or None if it is about none.
    """

    code: str = "unavailable"
    field: str | None = None


class InvalidArgumentError(ChorusError, ValueError):
    """Something was asked for that cannot be done."""

    code = "invalid_argument"


class NotFoundError(ChorusError, FileNotFoundError):
    """There is no such file, model or name."""

    code = "not_found"


class CorruptError(ChorusError, ValueError):
    """A file breaks its format's rules."""

    code = "corrupt"


class UnsupportedError(ChorusError, RuntimeError):
    """Well-formed, but not something that Chorus does."""

    code = "unsupported"


class InputOutputError(ChorusError, OSError):
    """The operating system refused; its reason is in the message."""

    code = "io"


class NetworkError(ChorusError, ConnectionError):
    """A transfer failed."""

    code = "network"


class OverloadedError(ChorusError, RuntimeError):
    """As much is waiting already as may wait (``max_queue``): try again later."""

    code = "overloaded"


class UnavailableError(ChorusError, RuntimeError):
    """The engine was closed, or belongs to the process that this one was forked from."""

    code = "unavailable"


class OutOfMemoryError(ChorusError, MemoryError):
    """There was no memory for what was asked; nothing else is concerned."""

    code = "out_of_memory"


_CLASSES: dict[str, type[ChorusError]] = {
    kind.code: kind
    for kind in (InvalidArgumentError, NotFoundError, CorruptError, UnsupportedError, InputOutputError,
                 NetworkError, OverloadedError, UnavailableError, OutOfMemoryError)
}
_FIELD = re.compile(r"([a-z][a-z0-9_]*)(?:\[\d+\])*: ")
_OPTION = re.compile(r"--(activation|allow-nonfinite|dtype|max-queue|n-head|stop-ids|threads|tokenizer)\b")


def by_argument(message: str) -> str:
    """A sentence of the library that names the program's options, with the names of Engine's arguments."""
    return _OPTION.sub(lambda match: match.group(1).replace("-", "_"), message)


def shown(value: Any) -> str:
    """A value as a message shows it: in one line, whatever it is."""
    try:
        text = repr(value)
    except Exception:  # such as a number of more digits than Python writes
        return f"a value of type {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:77] + "..."


def make_error(code: str, message: str, field: str | None = None) -> ChorusError:
    """The exception for an error of the library, whose messages begin with the field they are about."""
    message = message.replace("stop_token_ids", "stop_ids", 1)  # the server's name for it
    if field is None and code in ("invalid_argument", "unsupported", "overloaded"):
        match = _FIELD.match(message) or _OPTION.search(message)
        field = match.group(1).replace("-", "_") if match else None
    error = _CLASSES[code](by_argument(message))
    error.field = field
    return error


def invalid(field: str, message: str) -> InvalidArgumentError:
    """The exception for an argument that was found wrong here: "FIELD: MESSAGE". An entry of one is "FIELD[3]"."""
    error = InvalidArgumentError(f"{field}: {message}")
    error.field = field.split("[")[0]
    return error
