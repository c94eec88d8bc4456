"""The same tokens, logits and losses as PyTorch, over the checkpoints of tests/torch/checkpoint_parity.py."""

import logging
import pathlib
import random
import re
import runpy
import sys
import types

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

import checkpoint_parity  # noqa: E402
import chorus  # noqa: E402
from gpt2_reference import Config, Gpt2, random_weights  # noqa: E402
import checkpoint_files  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", params=range(len(checkpoint_parity.CASES)),
                ids=[case.name for case in checkpoint_parity.CASES])
def pair(request, tmp_path_factory):
    """A checkpoint, loaded by Chorus and by the reference."""
    number, case = request.param, checkpoint_parity.CASES[request.param]
    path = str(tmp_path_factory.mktemp("checkpoint") / case.file)
    state = {name: tensor.to(case.dtype)
             for name, tensor in random_weights(case.config, number, **case.options).items()}
    case.save(path, case.config, state)
    with chorus.Engine(path, dtype="f32", threads=2) as engine:
        yield case, number, engine, Gpt2(case.config, state)


def test_tokens(pair):
    case, number, engine, reference = pair
    compared = 0
    for request in checkpoint_parity.requests_for(case, random.Random(number))[:2]:
        expected, finish, near = reference.generate(
            request["prompt_ids"], request["max_length"], request["top_k"], checkpoint_parity.signed(request["seed"]))
        completion = engine.generate(request["prompt_ids"], max_length=request["max_length"],
                                     top_k=request["top_k"], seed=request["seed"], loop="talk")
        ids = completion.prompt_ids + completion.ids
        if near is None:
            assert ids == expected and completion.finish_reason == finish
            compared += len(completion.ids)
        else:  # from a choice on that rounding decides
            assert ids[:near] == expected[:near]
            compared += near - len(completion.prompt_ids)
    assert compared > 0


def test_logits_and_loss(pair):
    case, number, engine, reference = pair
    model = chorus.GPT(engine)
    generator = torch.Generator().manual_seed(number)
    for rows, length in ((1, 1), (3, min(7, case.config.block_size)), (2, case.config.block_size)):
        idx = torch.randint(case.config.vocab_size, (rows, length), generator=generator)
        targets = torch.randint(case.config.vocab_size, (rows, length), generator=generator)
        targets[0, 0] = -100 if length > 1 else targets[0, 0]
        with torch.no_grad():
            expected = torch.stack([reference.logits(row.tolist()) for row in idx])
        loss = torch.nn.functional.cross_entropy(expected.view(-1, expected.size(-1)), targets.view(-1))
        logits, found = model(idx, targets)
        assert logits.dtype == np.float32 and logits.shape == tuple(expected.shape)
        np.testing.assert_allclose(logits, expected.numpy(), atol=2e-4, rtol=2e-4)
        assert isinstance(found, float) and abs(found - loss.item()) < 2e-4
        again, none = model(idx.numpy())
        assert none is None and np.array_equal(again, logits)
        assert np.array_equal(model(idx.numpy().astype(np.uint16))[0], logits)


def test_logits_of_what_has_dlpack_alone(engine):
    class OnlyDlpack:
        def __init__(self, tensor):
            self.tensor = tensor

        def __dlpack__(self, **options):
            return self.tensor.__dlpack__()

        def __dlpack_device__(self):
            return self.tensor.__dlpack_device__()

    idx = torch.tensor([[3, 1, 4, 1, 5]])
    model = chorus.GPT(engine)
    assert np.array_equal(model(OnlyDlpack(idx))[0], model(idx)[0])


def test_tensors_of_any_kind(engine):
    idx = torch.tensor([[3, 1, 4, 1], [5, 9, 2, 6]])
    model = chorus.GPT(engine)
    logits, loss = model(idx, idx)
    wide = torch.zeros(4, 8, dtype=torch.long)
    wide[::2, ::2] = idx
    for same in (list(idx), [list(row) for row in idx], idx.t().contiguous().t(), idx.int(), idx.byte(), wide[::2, ::2]):
        again, loss_again = model(same, same)
        assert np.array_equal(again, logits) and loss_again == loss
        assert engine.decode(same) == engine.decode(idx)
    assert np.array_equal(engine.logits(list(idx)), logits) and engine.score(idx[0]).ids == [3, 1, 4, 1]
    for wrong in (idx > 2, idx.float(), idx.bfloat16(), idx.to_sparse(), idx.float().requires_grad_(), idx.to("meta"), idx[0, 0]):
        for call in (model, engine.logits, engine.decode, engine.score, engine.generate):
            with pytest.raises(chorus.InvalidArgumentError, match=r"^(idx|ids|text|prompt)(\[0\])?: expected ") as caught:
                call(wrong)
            assert len(str(caught.value)) < 300


# --- The talk's program.


class TalkGPT:
    """The talk's class in PyTorch, as far as its program uses it."""

    @classmethod
    def from_local_pretrained(cls, model_path, map_location=None):
        checkpoint = torch.load(model_path, map_location=map_location)
        model = cls()
        state = {name.replace("transformer.", ""): value for name, value in checkpoint["model"].items()
                 if not name.endswith((".attn.bias", ".attn.masked_bias"))}
        model.reference = Gpt2(Config(**checkpoint["config"]), state)
        model.tokenizer = chorus.Engine(tokenizer="gpt2")
        logging.info(f"Loaded model from step {checkpoint['step']}, val_loss {checkpoint['val_loss']}")
        return model

    def generate(self, text, max_length=1024, top_k=50, seed=None):
        ids = self.tokenizer.encode(text)
        tokens, finish, _ = self.reference.generate(ids, max_length, top_k, 42 if seed is None else seed)
        result = tokens[len(ids):len(tokens) - (finish == "stop")]
        logging.info(f"Generated {len(tokens) - len(ids)} tokens in 0.00 seconds (0.00 tokens/sec)")
        return text + self.tokenizer.decode(result)


def output_of_talk(path, monkeypatch, capsys, caplog, module):
    """What examples/talk.py prints and logs with a module in the place of the package."""
    monkeypatch.setitem(sys.modules, "chorus", module)
    monkeypatch.setattr(sys, "argv", ["talk.py", str(path)])
    caplog.clear()
    with caplog.at_level(logging.INFO):
        runpy.run_path(str(ROOT / "examples" / "talk.py"), run_name="__main__")
    lines = [re.sub(r"in [0-9.]+ seconds.*", "in", record.getMessage()) for record in caplog.records
             if record.getMessage().startswith(("Loaded model from step", "Generated"))]
    return capsys.readouterr().out, sorted(lines)


def test_the_talks_program_word_for_word(tmp_path, monkeypatch, capsys, caplog):
    config = Config(128, 50304, 2, 4, 64)
    path = tmp_path / "model_19072.pt"
    state = random_weights(config, 7, padding_from=50257)
    checkpoint_files.save_build_nanogpt(str(path), config, state)
    theirs = types.ModuleType("chorus")
    theirs.GPT = TalkGPT
    expected, expected_lines = output_of_talk(path, monkeypatch, capsys, caplog, theirs)
    found, lines = output_of_talk(path, monkeypatch, capsys, caplog, chorus)
    assert found == expected and len(found) > 1000
    assert lines == expected_lines
    assert "Loaded model from step 1234, val_loss 3.25" in lines


def test_the_talks_defaults(tmp_path):
    config = Config(96, 50304, 1, 2, 32)
    path = tmp_path / "model.pt"
    state = random_weights(config, 3, padding_from=50257)
    checkpoint_files.save_build_nanogpt(str(path), config, state)
    model = chorus.GPT.from_local_pretrained(path, map_location="cpu")
    assert model.config == chorus.GPTConfig(96, 50304, 1, 2, 32)
    text = model.generate("The theory")  # to the end of the block, with seed 42 and top_k 50
    assert text == model.generate("The theory", max_length=96, top_k=50, seed=42)
    assert text != model.generate("The theory", seed=43)
    ids = model.engine.encode("The theory")
    expected, finish, near = Gpt2(config, state).generate(ids, 96, 50, 42)
    completion = model.engine.generate(ids, max_length=96, seed=42, loop="talk")
    assert (ids + completion.ids)[:near] == expected[:near]
    assert text == "The theory" + completion.text
    rates = []
    assert model.generate("The theory", max_length=1, save_rate=rates.append) == "The theory"
    assert rates == [0.0]
    assert model.eval().to(torch.device("cpu")) is model
    for device in ("cuda", "cuda:1", torch.device("meta")):
        with pytest.raises(ValueError, match="map_location: expected \"cpu\""):
            chorus.GPT.from_local_pretrained(path, map_location=device)
