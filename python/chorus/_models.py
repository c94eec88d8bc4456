"""Where a model is: a path, or a name that is fetched, by huggingface_hub if it is there."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

from . import _core
from ._errors import ChorusError, NetworkError, NotFoundError, UnsupportedError

# What a repository holds that a model is read from.
_FILES = ["config.json", "model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors",
          "tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json",
          "tokenizer_config.json", "generation_config.json"]


def locate(model: str | os.PathLike[str] | None) -> str:
    """The path of a model, or "" for the embedded one. What is given as a Path is one; of a text, an
    existing path comes before a name."""
    if model is None:
        return ""
    if not isinstance(model, str):
        path = os.fspath(model)
        if not os.path.exists(path):
            raise NotFoundError(f"{path}: no such file or folder")
        return path
    if not model or os.path.exists(model):
        return model
    source = _core.model_source(model)
    if source is None or importlib.util.find_spec("huggingface_hub") is None:
        return model  # which the library finds, fetches or refuses
    return _fetch(model, *source)


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
