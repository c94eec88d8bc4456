"""GPT-2 text generation and scoring on CPUs, for many threads at once, with PyTorch's own tokens.

    >>> import chorus
    >>> engine = chorus.Engine()  # or the path of a checkpoint, or "gpt2"
    >>> print(engine.generate("Once upon a time", seed=42))

Engine is the interface; GPT and GPTConfig are the classes of the talk's program. surprisal() is for
those who study reading. Every exception is a ChorusError.
"""

from ._core import version as __version__
from ._engine import Engine
from ._errors import (ChorusError, CorruptError, InputOutputError, InvalidArgumentError, NetworkError, NotFoundError,
                      OutOfMemoryError, OverloadedError, UnavailableError, UnsupportedError)
from ._options import Options
from ._results import Completion, ModelInfo, Piece, Score, Stats, Token, Usage
from ._streams import AsyncStream, Stream
from ._surprisal import SurprisalTable, surprisal
from .talk import GPT, GPTConfig

__all__ = [
    "AsyncStream", "ChorusError", "Completion", "CorruptError", "Engine", "GPT", "GPTConfig", "InputOutputError",
    "InvalidArgumentError", "ModelInfo", "NetworkError", "NotFoundError", "Options", "OutOfMemoryError", "OverloadedError", "Piece",
    "Score", "Stats", "Stream", "SurprisalTable", "Token", "UnavailableError", "UnsupportedError", "Usage", "__version__", "surprisal",
]
