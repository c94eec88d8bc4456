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
logits, loss = chorus.GPT(engine)(np.array([[1, 2]]), np.array([[2, 3]]))

async def read() -> str:
    return "".join([piece async for piece in engine.astream("Once", seed=3)])
"""

WRONG = {
    "engine.generate('Once', topk=3)": "topk",
    "engine.generate('Once', top_k='many')": "No overload",
    "engine.generate(5)": "No overload",
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
