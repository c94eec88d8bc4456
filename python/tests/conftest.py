"""What the tests share: the embedded model, and checkpoints made with PyTorch as tests/torch makes them."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "torch"))

import chorus  # noqa: E402


@pytest.fixture(scope="session")
def engine():
    with chorus.Engine(threads=2) as engine:
        yield engine
