"""The package is typed: mypy --strict on the examples and on what people write."""

import pathlib
import re
import subprocess
import sys
import types

import chorus
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

RIGHT = """
from collections.abc import Sequence
from typing import Any

import numpy as np
import chorus

engine = chorus.Engine("model.pt", dtype="bf16", threads=2)
one: chorus.Completion = engine.generate("Once", seed=1, stop=["x"])
some: list[chorus.Completion] = engine.generate("Once", n=3)
batch: list[chorus.Completion] = engine.generate(["Once", "The"], max_length=20)
ids: list[int] = engine.encode("Once")
text: str = engine.decode(np.array(ids))
for piece in engine.stream(ids, top_k=3):
    where: int = piece.sample
    print(piece.upper())
future = engine.submit("Once")
later: chorus.Completion = future.result()
bits = engine.score(["a", "b"])[0].surprisal.sum()
sequence: Sequence[str] = ("Once", "The")
of_ids: Sequence[Sequence[int]] = [(1, 2), [3]]
batch = engine.generate(sequence) + engine.generate(of_ids) + engine.generate(["Once", [1, 2]]) + engine.generate([np.array([1])])
twice: list[list[chorus.Completion]] = engine.generate(sequence, n=2, stop_ids={1, 2}) + engine.generate(of_ids, n=2, stop_ids=np.array([1]))
scores: list[chorus.Score] = engine.score(sequence) + engine.score(of_ids, bos=True)
texts: list[str] = engine.decode(of_ids) + engine.decode([one.ids for one in batch]) + [engine.decode((1, 2))]
many: list[list[int]] = engine.encode(sequence) + engine.encode(np.array(["a"]))

class Tensor:  # as PyTorch's is declared
    def __array__(self, dtype: Any = None) -> Any: ...

class OnlyDlpack:
    def __dlpack__(self, *, stream: Any = None) -> Any: ...

for tensor in (Tensor(), OnlyDlpack(), np.array([[1, 2], [3, 4]])):
    either: chorus.Completion | list[chorus.Completion] = engine.generate(tensor)
    print(engine.decode(tensor), engine.score(tensor), engine.logits(tensor).mean())
samples = engine.submit("Once", n=2).result()[1].text + engine.stream(Tensor()).completion.text
logits, loss = chorus.GPT(engine)(np.array([[1, 2]]), np.array([[2, 3]]))

async def read() -> str:
    return "".join([piece async for piece in engine.astream("Once", seed=3)])
"""

WRONG = {
    "engine.generate('Once', topk=3)": "topk",
    "engine.generate('Once', top_k='many')": "No overload",
    "engine.generate(5)": "No overload",
    "engine.generate([5.0])": "float",
    "engine.decode('Once')": '"str"',
    "engine.encode([1])": "int",
    "engine.generate('Once').texts": "texts",
    "len(engine.generate('Once'))": "len",
    "chorus.Engine(threads='two')": "threads",
}


# The code of README and the manual, each piece for itself.
BLOCKS = [block for name in ("README.md", "docs/python.md")
          for block in re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)]
# (The talk's class needs a checkpoint: test_torch.py makes one.)
RUNNABLE = [block for block in BLOCKS if "from_local_pretrained" not in block]


def mypy(path, tmp_path):
    pytest.importorskip("mypy")
    files = [str(one) for one in (path if isinstance(path, list) else [path])]
    result = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), *files],
                            capture_output=True, text=True, cwd=tmp_path)
    return result.returncode, result.stdout + result.stderr


def test_examples_are_strictly_typed(tmp_path):
    right = tmp_path / "right.py"
    right.write_text(RIGHT)
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import chorus\nengine = chorus.Engine()\n" + "\n".join(WRONG) + "\n")
    code, output = mypy(right, tmp_path)
    assert code == 0, output
    for example in sorted((ROOT / "examples").glob("*.py")):
        code, output = mypy(example, tmp_path)
        assert code == 0, output
    code, output = mypy(wrong, tmp_path)
    lines = output.splitlines()
    for number, (statement, complaint) in enumerate(WRONG.items(), 3):
        assert any(f"wrong.py:{number}: error" in line and complaint in line for line in lines), (statement, output)


def test_the_manuals_code_is_strictly_typed(tmp_path):
    files = []
    for number, block in enumerate(BLOCKS):
        files.append(tmp_path / f"block{number}.py")
        files[-1].write_text("from typing import Any\nimport chorus\nframe: Any\nidx: Any\ntargets: Any\n"
                             f"engine = chorus.Engine()\n{block}")
    assert len(files) >= 5
    code, output = mypy(files, tmp_path)
    assert code == 0, output


@pytest.mark.parametrize("block", RUNNABLE, ids=range(len(RUNNABLE)))
def test_the_manuals_code_runs(engine, block, monkeypatch, capsys):
    pandas = types.ModuleType("pandas")
    pandas.DataFrame = dict
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    block = block.replace('"model_19072.pt"', "None").replace('model="gpt2"', "model=None")
    exec(block, {"chorus": chorus, "engine": engine, "frame": {"sentence": ["The cat sat."]}})
    assert capsys.readouterr().out.startswith("Once upon a time") == ("print(" in block)


def test_the_package_says_that_it_is_typed():
    folder = pathlib.Path(chorus.__file__).parent
    assert (folder / "py.typed").exists() and (folder / "_core.pyi").exists()
