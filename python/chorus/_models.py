"""Where a model is: a path, or a name that is fetched, by huggingface_hub if it is there."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

from . import _core
from ._errors import ChorusError, NetworkError, NotFoundError, UnsupportedError, invalid, shown

# What a repository holds that a model is read from.
_FILES = ["config.json", "model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors",
          "tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json",
          "tokenizer_config.json", "generation_config.json"]


def locate(model: str | os.PathLike[str] | None) -> str:
    """The path of a model, or "" for the embedded one. What is given as a Path is one; of a text, an
    existing path comes before a name."""
    if model is None:
        return ""
    path = path_of(model, "model", "a path or a name")
    if os.path.exists(path):
        return path
    if not isinstance(model, str):
        raise NotFoundError(f"{path}: no such file or folder")
    source = _core.model_source(model)
    if source is None or importlib.util.find_spec("huggingface_hub") is None:
        return model  # which the library finds, fetches or refuses
    return _fetch(model, *source)


def path_of(value: str | os.PathLike[str], field: str, expected: str) -> str:
    """What is given for a path, as a text that is not empty."""
    if not isinstance(value, (str, os.PathLike)):
        raise invalid(field, f"expected {expected}, found {shown(value)}")
    path = os.fspath(value)
    if not isinstance(path, str) or not path:
        raise invalid(field, f"expected {expected}, found {shown(path)}")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise invalid(field, f"expected {expected} in UTF-8, found {shown(path)}: rename the file, or link to it "
                             "under another name") from None
    return path


def explain(error: UnsupportedError) -> UnsupportedError:
    """Of a name that was not fetched, also what would."""
    if "fetches nothing" in str(error):
        return UnsupportedError(f"{error}; with huggingface_hub installed (pip install huggingface_hub) models "
                                "are fetched by name")
    return error


def _fetch(model: str, kind: str, owner: str, name: str, revision: str, file: str) -> str:
    hub: Any = importlib.import_module("huggingface_hub")
    errors: Any = importlib.import_module("huggingface_hub.utils")
    repository = f"{owner}/{name}"
    repo_type = "dataset" if kind == "datasets/" else "model"
    try:
        if file:
            return str(hub.hf_hub_download(repository, file, repo_type=repo_type, revision=revision))
        return str(hub.snapshot_download(repository, repo_type=repo_type, revision=revision,
                                         allow_patterns=_FILES))
    except Exception as error:
        found: type[ChorusError] = NetworkError
        if isinstance(error, (errors.RepositoryNotFoundError, errors.RevisionNotFoundError,
                              errors.EntryNotFoundError)):
            found = NotFoundError
        # (Not at hand, and the network is off or away: huggingface_hub calls that an entry, too.)
        if type(error).__name__ == "LocalEntryNotFoundError":
            found = NetworkError
        raise found(f'model name "{model}": huggingface_hub could not fetch {repository}: {error}') from error
