"""Models by name: what huggingface_hub is asked for, and what its errors become."""

import importlib.machinery
import sys
import types

import pytest

import chorus
from chorus import _core, _models


class FakeHub(types.ModuleType):
    """A huggingface_hub that answers with a path, or raises."""

    def __init__(self, answer):
        super().__init__("huggingface_hub")
        self.__spec__ = importlib.machinery.ModuleSpec("huggingface_hub", None)
        self.answer, self.asked = answer, []

    def _call(self, *arguments, **options):
        self.asked.append((arguments, options))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def snapshot_download(self, repo_id, **options):
        return self._call("snapshot", repo_id, **options)

    def hf_hub_download(self, repo_id, filename, **options):
        return self._call("file", repo_id, filename, **options)


class RepositoryNotFoundError(Exception):
    pass


class EntryNotFoundError(Exception):
    pass


class LocalEntryNotFoundError(EntryNotFoundError):
    pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    fake = FakeHub(str(tmp_path / "nowhere"))
    errors = types.ModuleType("huggingface_hub.utils")
    errors.RepositoryNotFoundError = errors.RevisionNotFoundError = RepositoryNotFoundError
    errors.EntryNotFoundError = EntryNotFoundError
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    monkeypatch.setitem(sys.modules, "huggingface_hub.utils", errors)
    monkeypatch.chdir(tmp_path)
    return fake


def test_names_are_fetched_by_huggingface_hub(hub, tmp_path):
    with pytest.raises(chorus.NotFoundError, match="nowhere"):  # what it answered was opened
        chorus.GPT.from_pretrained("gpt2")
    (kind, repository), options = hub.asked[-1]
    assert (kind, repository) == ("snapshot", "openai-community/gpt2")
    assert options["repo_type"] == "model" and options["revision"] == "main"
    assert "model.safetensors" in options["allow_patterns"] and "tokenizer.json" in options["allow_patterns"]
    for name, repository, revision in (("hf:owner/name@v2", "owner/name", "v2"), ("gpt2-xl", "openai-community/gpt2-xl", "main")):
        assert _models.locate(name) == hub.answer
        assert hub.asked[-1][0][1] == repository and hub.asked[-1][1]["revision"] == revision
    with pytest.raises(chorus.NotFoundError):
        chorus.GPT.from_pretrained("openai-community/gpt2-xl")
    assert hub.asked[-1][0][1] == "openai-community/gpt2-xl"
    assert _models.locate("parallelopedia") == hub.answer
    assert hub.asked[-1][0] == ("file", "trentnelson/parallelopedia-data-gpt2", "model_19072.pt")
    assert hub.asked[-1][1]["repo_type"] == "dataset"


def test_a_path_comes_before_a_name(hub, tmp_path):
    (tmp_path / "gpt2").mkdir()
    assert _models.locate("gpt2") == "gpt2" and hub.asked == []
    assert _models.locate("no such name") == "no such name" and hub.asked == []
    assert _models.locate(None) == ""


@pytest.mark.parametrize("raised, expected", [
    (RepositoryNotFoundError("404"), chorus.NotFoundError), (EntryNotFoundError("404"), chorus.NotFoundError),
    (LocalEntryNotFoundError("offline"), chorus.NetworkError), (OSError("no route"), chorus.NetworkError)])
def test_errors_of_huggingface_hub(hub, raised, expected):
    hub.answer = raised
    with pytest.raises(expected, match=r'model name "gpt2": huggingface_hub could not fetch openai-community/gpt2: ') as caught:
        chorus.Engine("gpt2")
    assert caught.value.__cause__ is raised


def test_bad_names_are_refused_before_anybody_is_asked(hub):
    for name in ("hf:", "hf:owner", "hf:../../etc", "hf:owner/name@"):
        with pytest.raises(chorus.InvalidArgumentError, match="model name"):
            chorus.Engine(name)
    assert hub.asked == []


def test_a_build_that_fetches_nothing_says_what_would(monkeypatch):
    if _core.has_hub:  # the message of src/hub/no_network.cpp
        error = chorus.UnsupportedError('model name "gpt2": this build of Chorus fetches nothing; expected the path')
        assert "pip install huggingface_hub" in str(_models.explain(error))
        return
    monkeypatch.setattr(_models.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(chorus.UnsupportedError, match="fetches nothing.*pip install huggingface_hub"):
        chorus.Engine("gpt2")
