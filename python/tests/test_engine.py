"""What the calls of an Engine give, and what they refuse."""

import array
import collections
import concurrent.futures
import copy
import inspect
import itertools
import math
import pathlib
import pickle
import re
import time
import types

import numpy as np
import pytest

import chorus

PROMPT = "Once upon a time"


def test_generate_continues_a_text(engine):
    completion = engine.generate(PROMPT, seed=42, max_length=40)
    assert completion.prompt == PROMPT and completion.prompt_ids == engine.encode(PROMPT)
    assert len(completion.prompt_ids) + len(completion.ids) == 40
    assert completion.text == engine.decode(completion.ids)
    assert str(completion) == PROMPT + completion.text
    assert (completion.finish_reason, completion.seed) == ("length", 42)
    assert completion.usage.generated_tokens == 36
    assert completion.tokens is None and completion.prompt_tokens is None
    again = engine.generate(np.array(completion.prompt_ids, np.uint16), seed=42, max_new_tokens=36)
    assert (again.text, again.ids, again.prompt) == (completion.text, completion.ids, PROMPT)


def test_a_seed_that_was_not_given_is_told(engine):
    completion = engine.generate(PROMPT, max_length=30)
    assert engine.generate(PROMPT, max_length=30, seed=completion.seed).text == completion.text
    assert {engine.generate(PROMPT, max_length=30).seed for _ in range(4)} != {completion.seed}
    negative = engine.generate(PROMPT, max_length=30, seed=-5)
    assert negative.text == engine.generate(PROMPT, max_length=30, seed=2**64 - 5).text
    for first, seeds in ((2**64 - 1, [2**64 - 1, 0, 1]), (-1, [-1, 0, 1]), (2**63 - 1, [2**63 - 1, 2**63, 2**63 + 1])):
        samples = engine.generate(PROMPT, n=3, max_length=8, seed=first)
        assert [sample.seed for sample in samples] == seeds
        assert [engine.generate(PROMPT, max_length=8, seed=seed).text for seed in seeds] == [one.text for one in samples]


def test_batches_and_samples(engine):
    prompts = [PROMPT, "The old man", "In the forest"]
    alone = [engine.generate(prompt, seed=5, max_length=30).text for prompt in prompts]
    assert [one.text for one in engine.generate(prompts, seed=5, max_length=30)] == alone
    ids = [engine.encode(prompt) for prompt in prompts]
    assert engine.encode(prompts) == ids and engine.decode(ids) == prompts
    assert [one.text for one in engine.generate(ids, seed=5, max_length=30)] == alone
    samples = engine.generate(PROMPT, n=3, seed=5, max_length=30)
    assert [sample.seed for sample in samples] == [5, 6, 7]
    assert samples[2].text == engine.generate(PROMPT, seed=7, max_length=30).text
    both = engine.generate(prompts, n=2, seed=5, max_length=30)
    assert [[sample.text for sample in one] for one in both] == [
        [engine.generate(prompt, seed=seed, max_length=30).text for seed in (5, 6)] for prompt in prompts]


def test_more_prompts_than_may_wait(engine):
    with chorus.Engine(threads=2, max_queue=4, step_rows=2) as small:
        prompts = [f"Number {i}" for i in range(40)]
        texts = [one.text for one in small.generate(prompts, seed=1, max_length=12)]
        assert texts == [one.text for one in engine.generate(prompts, seed=1, max_length=12)]
        scores = [one.loss for one in small.score(prompts)]
        assert scores == [one.loss for one in engine.score(prompts)]


def test_an_empty_text_begins_one(engine):
    completion = engine.generate("", seed=1, max_length=20)
    assert completion.prompt_ids == [50256] and completion.prompt == "" and completion.text


def test_streams_are_the_text(engine):
    expected = engine.generate(PROMPT, seed=3, max_length=60)
    stream = engine.stream(PROMPT, seed=3, max_length=60)
    pieces = list(stream)
    assert "".join(pieces) == expected.text
    assert [piece.token.id for piece in pieces if piece.token] == expected.ids
    assert stream.completion.text == expected.text
    assert all(isinstance(piece, str) and piece.sample == 0 for piece in pieces)
    two = engine.stream(PROMPT, n=2, seed=3, max_length=30)
    texts = ["", ""]
    for piece in two:
        texts[piece.sample] += piece
    assert texts == [sample.text for sample in two.completions]
    assert pickle.loads(pickle.dumps(pieces)) == pieces


def test_submit_gives_a_future(engine):
    futures = [engine.submit(PROMPT, seed=seed, max_length=30) for seed in range(20)]
    done, not_done = concurrent.futures.wait(futures, timeout=60)
    assert not not_done
    assert [future.result().text for future in futures] == [
        engine.generate(PROMPT, seed=seed, max_length=30).text for seed in range(20)]
    assert [one.seed for one in engine.submit(PROMPT, n=2, seed=8, max_length=30).result()] == [8, 9]
    with pytest.raises(chorus.InvalidArgumentError):
        engine.submit(PROMPT, top_k=-1)


def test_what_ends_a_text(engine):
    whole = engine.generate(PROMPT, seed=42, max_length=60).text
    word = whole.split()[3]
    stopped = engine.generate(PROMPT, seed=42, max_length=60, stop=word)
    assert stopped.text == whole[:whole.index(word)] and stopped.finish_reason == "stop"
    kept = engine.generate(PROMPT, seed=42, max_length=60, stop=["nowhere at all", word], include_stop=True)
    assert kept.text == whole[:whole.index(word) + len(word)]
    ids = engine.generate(PROMPT, seed=42, max_length=60).ids
    assert engine.generate(PROMPT, seed=42, max_length=60, stop_ids=ids[5]).ids == ids[:ids.index(ids[5]) + 1]
    assert engine.generate(PROMPT, seed=42, max_length=60, stop_ids=np.array(ids[5:6])).finish_reason == "stop"


def test_options_change_what_they_should(engine):
    def text(**options):
        return engine.generate(PROMPT, seed=42, max_length=40, **options).text

    plain = text()
    assert plain == text(temperature=1.0, top_k=50, top_p=1.0, loop="talk", rng="torch-cpu", stop=None)
    changed = [text(temperature=0.3), text(top_k=2), text(top_p=0.3), text(min_p=0.2), text(repetition_penalty=1.5),
               text(rng="torch-cpu-mkl"), text(loop="nanogpt"), text(presence_penalty=5.0),
               text(frequency_penalty=5.0)]
    assert plain not in changed and len(set(changed)) >= 8  # two penalties may do the same here
    assert text(temperature=0) == text(top_k=1)
    first = engine.generate(PROMPT, seed=42, max_length=40).ids[0]
    assert engine.generate(PROMPT, seed=42, max_length=40, logit_bias={first: -100.0}).ids[0] != first
    assert len(engine.generate(PROMPT, seed=1, max_length=1100, past_block="crop", stop_ids=[]).ids) <= 1096


def test_logprobs_of_text_and_prompt(engine):
    completion = engine.generate(PROMPT, seed=42, max_length=20, logprobs=3, prompt_logprobs=1)
    assert [token.id for token in completion.tokens] == completion.ids
    assert [token.id for token in completion.prompt_tokens] == completion.prompt_ids
    assert completion.prompt_tokens[0].logprob is None
    score = engine.score(completion.prompt_ids + completion.ids)
    told = [token.logprob for token in completion.prompt_tokens + completion.tokens]
    assert told[1:] == score.logprobs[1:].tolist()
    for token in completion.tokens:
        assert len(token.top) == 3 and token.top[0][1] >= token.top[1][1] >= token.top[2][1]


def test_scores_are_those_of_the_logits(engine):
    text = "The old man went home, and there he found his wife."
    score = engine.score(text)
    logits = engine.logits(score.ids).astype(np.float64)
    logsumexp = np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1)) + logits.max(1)
    expected = [logits[i, id] - logsumexp[i] for i, id in enumerate(score.ids[1:])]
    assert math.isnan(score.logprobs[0]) and score.contexts.tolist() == list(range(len(score.ids)))
    np.testing.assert_allclose(score.logprobs[1:], expected, atol=1e-6)
    assert math.isclose(score.loss, -score.logprobs[1:].mean())
    assert math.isclose(score.perplexity, math.exp(score.loss))
    np.testing.assert_allclose(score.surprisal[1:], -score.logprobs[1:] / math.log(2))
    with_bos = engine.score([text, text], bos=True)
    assert not np.isnan(with_bos[0].logprobs).any() and with_bos[1].loss == with_bos[0].loss
    assert math.isnan(engine.score("The").loss)
    long = engine.score(list(range(2000)), stride=100)
    assert long.contexts.max() < 1024 and len(long.logprobs) == 2000


def test_logits_have_the_same_bits_alone_and_in_a_batch(engine):
    rows = np.arange(3 * 70).reshape(3, 70) * 97 % 50257
    batch = engine.logits(rows)
    assert batch.shape == (3, 70, 50304) and batch.dtype == np.float32
    for row, logits in zip(rows, batch):
        assert np.array_equal(engine.logits(row), logits) and np.array_equal(engine.logits(row[:33]), logits[:33])
    kept = engine.logits(rows[0])
    kept[:] = 0  # the caller's own


def test_ids_of_any_kind(engine):
    expected = [3, 1, 4]
    for ids in ([3, 1, 4], (3, 1, 4), np.array([3, 1, 4], np.uint8), np.array([9, 3, 9, 1, 9, 4])[1::2],
                range(3, 6), [np.int64(3), np.int16(1), 4], [np.uint64(3), np.int8(1), 4], np.array([3, 1, 4], ">i8"),
                np.array([4, 1, 3])[::-1], array.array("L", [3, 1, 4]), collections.deque([3, 1, 4])):
        given = list(ids)
        assert engine.generate(ids, seed=1, max_new_tokens=2).prompt_ids == [int(id) for id in given]
    assert engine.decode(np.array(expected)) == engine.decode(expected)
    assert engine.decode([]) == "" and engine.token_bytes(50256) == b"<|endoftext|>"
    assert engine.encode("<|endoftext|>", special=True) == [50256] != engine.encode("<|endoftext|>")
    assert engine.decode(engine.encode("für 漢字 🙂")) == "für 漢字 🙂"
    assert engine.decode(engine.encode("cut \ud83d off")) == "cut \ufffd off"


def test_a_long_text_is_read_as_its_parts(engine):
    line = "The old man had a boat, 3 fish and a für 漢字.\n"
    ids = engine.encode(line) * 30_000
    assert engine.encode(line * 30_000) == ids and engine.decode(ids) == line * 30_000
    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # where no signal is looked for
        assert pool.submit(engine.encode, line * 30_000).result() == ids
        assert pool.submit(engine.decode, ids).result() == line * 30_000


REFUSED = [
    ("top_k", "expected a whole number", dict(top_k=-1)),
    ("top_k", "expected a whole number", dict(top_k=2.5)),
    ("top_k", "expected a whole number", dict(top_k=True)),
    ("top_k", "expected a whole number", dict(top_k=10**30)),
    ("temperature", "expected", dict(temperature=float("nan"))),
    ("temperature", "expected", dict(temperature=-1)),
    ("temperature", "found 'hot'", dict(temperature="hot")),
    ("top_p", "expected", dict(top_p=1.5)),
    ("repetition_penalty", "expected", dict(repetition_penalty=0)),
    ("seed", "a whole number of 64 bits", dict(seed=2**64)),
    ("seed", "a whole number of 64 bits", dict(seed=1.5)),
    ("seed", "a whole number of 64 bits", dict(seed="7")),
    ("loop", "talk", dict(loop="theirs")),
    ("rng", "torch-cpu", dict(rng="mt")),
    ("rng", "torch-cpu", dict(rng=1)),
    ("past_block", "crop", dict(past_block="cut")),
    ("one_stream", "True or False", dict(one_stream=1)),
    ("special", "True or False", dict(special="yes")),
    ("max_length", "expected 1 to 1024", dict(max_length=2000)),
    ("max_length", "expected", dict(max_length=0)),
    ("max_length", "at least the prompt's", dict(max_length=2)),
    ("max_new_tokens", "found both", dict(max_length=20, max_new_tokens=3)),
    ("n", "1 to 1024", dict(n=0)),
    ("n", "1 to 1024", dict(n=[1])),
    ("stop", "a text or several", dict(stop=[b"x"])),
    ("stop", "a text or several", dict(stop=5)),
    ("stop", "at most 64", dict(stop=["x"] * 65)),
    ("stop_ids", "ids", dict(stop_ids=["a"])),
    ("stop_ids", "the model's vocabulary", dict(stop_ids=[60000])),
    ("logit_bias", "dict", dict(logit_bias=[(1, 2)])),
    ("logit_bias", "found", dict(logit_bias={1: "x"})),
    ("logprobs", "0 to 100", dict(logprobs=101)),
    ("min_tokens", "expected", dict(min_tokens=-1)),
    ("cache_salt", "from 0", dict(cache_salt=-1)),
]


@pytest.mark.parametrize("field, message, options", REFUSED, ids=[str(row[2]) for row in REFUSED])
def test_bad_options_are_refused_by_field(engine, field, message, options):
    for call in (engine.generate, engine.submit, engine.stream):
        with pytest.raises(chorus.InvalidArgumentError) as caught:
            call(PROMPT, **options)
        assert caught.value.field == field and message in str(caught.value)
        assert caught.value.code == "invalid_argument" and isinstance(caught.value, ValueError)


@pytest.mark.parametrize("prompt, message", [
    (b"bytes", "prompt: expected a text"), (5, "prompt: expected a text, ids"), ([], "an empty list"),
    ({"a": 1}, "prompt: expected"), ([1.5], "whole numbers"), ([True, False], "whole numbers"),
    ([-1], "ids from 0"), ([2**40], "ids from 0"), ([60000], "the model's vocabulary"),
    ((i for i in range(3)), "list(...)"), (None, "prompt: expected"), (np.zeros(0, int), "at least one"),
    (["fine", 5], "prompt[1]"), (["fine", [60000]], "prompt[1]"), (["fine", "word " * 1200], "prompt[1]"),
], ids=repr)
def test_bad_prompts_are_refused(engine, prompt, message):
    with pytest.raises(chorus.InvalidArgumentError) as caught:
        engine.generate(prompt)
    assert message in str(caught.value) and caught.value.field.startswith("prompt")


class _Interrupts:
    def __index__(self):
        raise KeyboardInterrupt


class _CannotBeShown:
    def __repr__(self):
        raise RuntimeError("no")


def test_values_of_any_kind_are_refused_by_name_and_briefly(engine):
    big = 10**5000  # which Python itself does not write out
    odd = [big, -big, 2**64, float("nan"), float("inf"), -2, _CannotBeShown(), "x" * 10**6, [-1] * 10**5, b"x",
           np.array(-3), np.array([1.5]), {big: 1.0}, {1: float("nan")}, "\ud800", ["a", 1], itertools.repeat(1)]
    names = set(chorus.Options.__annotations__) | {"n"}
    for name in names:
        refused = 0
        for value in odd:
            options = {name: value} if name.startswith("max_") else {name: value, "max_length": 3}
            try:
                engine.generate("Once", **options)
            except chorus.InvalidArgumentError as error:
                assert error.field in names and len(str(error)) < 1000, (name, error)
                refused += 1
        assert refused > len(odd) / 2, name
    for name in ("threads", "kv_memory", "max_queue", "step_rows", "n_head", "dtype", "activation", "prefix_cache"):
        for value in (big, -big, 2**70, _CannotBeShown(), b"x", 1.5, "\ud800"):
            with pytest.raises(chorus.InvalidArgumentError) as caught:
                chorus.Engine(**{name: value})
            assert caught.value.field == name and len(str(caught.value)) < 1000
    with pytest.raises(KeyboardInterrupt):
        engine.generate("Once", top_k=_Interrupts())
    # (2 TB, where the system does not promise whatever it is asked for.)
    if pathlib.Path("/proc/sys/vm/overcommit_memory").read_text().strip() != "1":
        with pytest.raises(chorus.OutOfMemoryError):
            engine.logits(np.ones((100_000, 100), np.int8))


def test_names_that_there_are_not(engine):
    with pytest.raises(TypeError, match=r"generate\(\) got an unexpected keyword argument 'topk' \(did you mean 'top_k'"):
        engine.generate(PROMPT, topk=3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'max_tokens'"):
        engine.stream(PROMPT, max_tokens=3)


def test_bad_ids_for_logits(engine):
    for ids, message in ((np.zeros((1, 1025), int), "at most 1024"), ([[60000]], r"ids\[0\]\[0\]"),
                         ([[1.0]], "whole numbers"), ([[1], [2, 3]], "ids"), (np.zeros((1, 1, 1), int), "shape")):
        with pytest.raises(chorus.InvalidArgumentError, match=message) as caught:
            engine.logits(ids)
        assert caught.value.field == "ids"
    model = chorus.GPT(engine)
    with pytest.raises(chorus.InvalidArgumentError, match="idx: expected ids of shape"):
        model([1, 2])
    with pytest.raises(chorus.InvalidArgumentError, match="targets: expected the shape of idx"):
        model([[1, 2]], [[1]])
    assert model(np.zeros((0, 5), int))[0].shape == (0, 5, 50304)


def test_models_that_there_are_not(tmp_path):
    with pytest.raises(chorus.NotFoundError, match="no such file or folder") as caught:
        chorus.Engine("nowhere.pt")
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(chorus.NotFoundError, match="gpt2: no such file"):
        chorus.Engine(pathlib.Path("gpt2"))  # a path, though there is a model of the name
    with pytest.raises(chorus.NotFoundError):
        chorus.GPT.from_local_pretrained("gpt2")
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"PK\x03\x04" + b"\0" * 100)
    with pytest.raises(chorus.ChorusError, match="broken.pt"):
        chorus.Engine(broken)
    for options, field in ((dict(dtype="f8"), "dtype"), (dict(threads=0), "threads"), (dict(threads=5000), "threads"),
                           (dict(kv_memory=1), "kv_memory"), (dict(kv_memory=-1), "kv_memory"),
                           (dict(max_queue=2.0), "max_queue"), (dict(activation="swish"), "activation")):
        with pytest.raises(chorus.InvalidArgumentError) as caught:
            chorus.Engine(**options)
        assert caught.value.field == field


def test_closed_engines(engine):
    other = chorus.Engine(threads=1)
    stream = other.stream(PROMPT, max_length=1000, seed=1)
    next(stream)
    other.close()
    other.close()
    assert "closed" in repr(other)
    for call in (lambda: other.generate(PROMPT), lambda: other.score(PROMPT), lambda: other.encode(PROMPT),
                 lambda: other.stats(), lambda: list(stream)):
        with pytest.raises(chorus.UnavailableError, match="closed"):
            call()


def test_engines_are_not_copied_but_results_are(engine):
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            attempt(engine)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(engine.stream(PROMPT, max_length=10))
    completion = engine.generate(PROMPT, seed=1, max_length=10, logprobs=1)
    assert pickle.loads(pickle.dumps(completion)) == completion
    assert pickle.loads(pickle.dumps(engine.info)) == engine.info


def test_stats(engine):
    end = time.monotonic() + 30
    while engine.stats().running > 0 and time.monotonic() < end:
        time.sleep(0.01)  # what the tests before it have dropped ends at the engine's next step
    before = engine.stats()
    engine.generate(PROMPT, seed=77, max_length=30)
    after = engine.stats()
    assert after.generated_tokens == before.generated_tokens + 26 and after.running == 0
    assert after.prompt_tokens == before.prompt_tokens + 4


def test_everything_public_says_what_it_is():
    for name in chorus.__all__:
        thing = getattr(chorus, name)
        if not inspect.isclass(thing):
            continue
        assert thing.__doc__ and not thing.__doc__.startswith("dict("), name
        for member, value in vars(thing).items():
            if inspect.isfunction(value) and not member.startswith("_"):
                assert value.__doc__, f"{name}.{member}"
    # help() shows what stands in the class's description alone.
    said = {chorus.Options: chorus.Options.__annotations__, chorus.Usage: ["first_token_seconds"], chorus.Token: ["logprob"],
            chorus.Completion: ["finish_reason"], chorus.Score: ["logprobs", "ranks", "entropies", "loss"],
            chorus.ModelInfo: ["kv_bytes", "dtype"], chorus.Stats: ["kv_usage"], chorus.Piece: ["sample", "token"]}
    for kind, fields in said.items():
        for field in fields:
            assert re.search(rf"\n +{field}: [^ ]", kind.__doc__), f"{kind.__name__}.{field}"


# --- What users get wrong: the argument is named, and what was found there; nothing comes from inside.

WRONG_ARGUMENTS = {
    "dtype": (np.float32, "", "fp32", 5, "f32\ud800"), "threads": (0, -1, 2.0, "2", True, 10**5000, 10**6),
    "kv_memory": ("1GB", 0, 1, 1e9, 2**64), "max_queue": (0, 2**40, None), "step_rows": (0, 2**40, 2.5, None),
    "prefix_cache": ("no", 0, None), "pin_threads": (None, 1), "allow_nonfinite": (1, "x"), "activation": (5, "swish"),
    "tokenizer": (5, b"x", ""), "n_head": (0, 7, 2**40), "model": (5, b"x", "", True, "a\ud800"),
}


@pytest.mark.parametrize("field", WRONG_ARGUMENTS)
def test_wrong_arguments_of_an_engine_are_named(field):
    for value in WRONG_ARGUMENTS[field]:
        with pytest.raises(chorus.InvalidArgumentError, match=field) as caught:
            chorus.Engine(**{field: value})
        assert caught.value.field == field and len(str(caught.value)) < 300, caught.value
    assert "--" not in str(caught.value)  # options are the program's


WRONG_OPTIONS = {
    "stop": (5, b"a", [1], ["a", b"b"], "\ud800", ["a", "b\udfff"], {"a"}, "x" * 10**6, ["a"] * 100),
    "stop_ids": ("5", -1, 5.0, [5, "a"], [99999], np.array([1.5])), "seed": (2**64, -2**63 - 1, 10**5000, -10**5000, 1.0, "1", True),
    "logit_bias": ({99999: 1.0}, {-1: 1}, {"1": 2}, {1: "2"}, {1: 1e300}, {1: float("nan")}, {1: float("inf")}, {1: np.array([5.0])}, [1]),
    "temperature": (-1, float("nan"), "1", True, 10**400, 10**5000, np.array([0.5]), [0.5]), "top_k": (-1, 2**31, 10**5000, 5.0), "loop": ("gpt", 5, "\ud800"),
    "special": (1, "yes"), "ignore_eos": (1,), "max_length": (0, 5.0, "5", 2000), "n": (0, True, 1.0, 10**6), "logprobs": (-1, 101, True),
}


@pytest.mark.parametrize("field", WRONG_OPTIONS)
def test_wrong_options_are_named(engine, field):
    for value in WRONG_OPTIONS[field]:
        for call in (engine.generate, engine.stream, engine.submit):
            with pytest.raises(chorus.InvalidArgumentError, match=f"^{field}") as caught:
                call("Once", **{field: value})
            assert caught.value.field == field and len(str(caught.value)) < 300, caught.value


def test_options_of_numpy_and_other_mappings(engine):
    expected = engine.generate("Once", seed=3, max_length=8, top_k=3, logit_bias={257: 5.0}, stop_ids=[5]).ids
    assert engine.generate("Once", seed=np.uint64(3), max_length=np.int8(8), top_k=np.int64(3), stop_ids=np.array(5),
                           logit_bias=types.MappingProxyType({np.int64(257): np.float32(5)})).ids == expected


PROMPTS = [None, 5, 1.5, b"a", bytearray(b"a"), [], {"a": 1}, {1, 2}, [None], [1, "a"], ["a", 1], ["a", None], ["a", b"b"], [1.0], [True], [-1],
           [2**31], [2**70], [10**5000], [50304], [[1], []], [[1], "a", 5], [1, [2]], [[[1]]], np.array(5), np.array([1.5]), np.array("a"),
           np.array([[[1]]]), np.array([True]), np.array([1, None], object), [1] * 1025]


@pytest.mark.parametrize("prompt", PROMPTS, ids=[str(i) for i in range(len(PROMPTS))])
def test_wrong_prompts_are_named(engine, prompt):
    calls = [("prompt", engine.generate), ("prompt", engine.submit)]
    if not isinstance(prompt, list) or len(prompt) < 1000:  # a long text is scored in windows
        calls.append(("text", engine.score))
    for field, call in calls:
        with pytest.raises(chorus.InvalidArgumentError, match=rf"^{field}(\[\d+\])*: expected ") as caught:
            call(prompt)
        assert caught.value.field == field and len(str(caught.value)) < 200, caught.value


def test_texts_in_arrays_and_columns(engine):
    texts = ["Once", "The old man"]
    expected = engine.generate(texts, seed=1, max_length=8)
    scores = engine.score(texts)
    for kind in (np.array(texts), np.array(texts, object)):
        assert [one.ids for one in engine.generate(kind, seed=1, max_length=8)] == [one.ids for one in expected]
        assert [one.ids for one in engine.score(kind)] == [one.ids for one in scores]
        assert engine.encode(kind) == engine.encode(texts)
    assert engine.generate(np.array([7454, 2402], object), seed=1, max_length=8).prompt_ids == [7454, 2402]
    with pytest.raises(chorus.InvalidArgumentError, match=r"^prompt: expected one text \(str\) or its ids, found \['Once', "):
        engine.submit(texts)


class Column:
    """As the columns of pandas, pyarrow and polars: what it holds is told by NumPy's protocol, not by iterating."""

    def __init__(self, values, dtype=object):
        self.values = np.array(values, dtype)

    def __array__(self, dtype=None, copy=None):
        return self.values

    def __iter__(self):
        return iter(["a", "name", "of", "a", "column"])

    def __len__(self):
        return len(self.values)

    def __getitem__(self, i):
        return "a name of a column"


class OnlyDlpack:
    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__()

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_columns_of_other_libraries(engine):
    texts, ids = ["Once", "The old man"], engine.encode(["Once", "The old man"])
    scores = [score.ids for score in engine.score(texts)]
    words = chorus.surprisal(texts, model=engine, bos=True)
    of_ids = np.empty(2, object)
    of_ids[:] = ids
    for column in (Column(texts), Column(texts, "U20")):
        assert engine.encode(column) == ids and [score.ids for score in engine.score(column)] == scores
        assert [one.prompt for one in engine.generate(column, max_new_tokens=1)] == texts
        assert chorus.surprisal(column, model=engine, bos=True).tolist() == words.tolist()
    for column in (of_ids, Column(of_ids)):
        assert engine.decode(column) == texts and [score.ids for score in engine.score(column)] == scores
    assert engine.encode(Column([])) == [] and engine.decode(Column([])) == ""
    table = [[1, 2], [3, 4], [5, 6]]
    for rows in (Column(table, int), Column(table), OnlyDlpack(np.array(table)), [OnlyDlpack(np.array(row)) for row in table],
                 [Column(row, int) for row in table]):
        assert [score.ids for score in engine.score(rows)] == table and engine.decode(rows) == engine.decode(table)
        assert [one.prompt_ids for one in engine.generate(rows, max_new_tokens=1)] == table
        assert np.array_equal(engine.logits(rows), engine.logits(table))


MASKED = np.ma.array([1, 2, 3], mask=[0, 1, 0])


@pytest.mark.parametrize("values, found", [
    (Column([["Once", "x"]]), "found a table of 1 rows"), (Column([None, "a"]), r"\[0\]: expected a text \(str\) or ids, found None"),
    (Column(["a", np.nan]), r"\[1\]: expected a text \(str\) or ids, found nan"), ([None, "a"], r"\[0\]: .* found None"),
    (MASKED, "without missing values"), (np.ma.array(["a", "b"], mask=[0, 1]), "without missing values"), ([MASKED, [1]], r"\[0\]: .* without missing"),
    ([1, True], r"found True at \w+\[1\]"), ([[1, 2], [np.False_]], r"found (np\.)?False_? at \w+\[1\]\[0\]"), ([5, MASKED[1]], "without missing"),
    (OnlyDlpack(np.array([1.0])), "found an array of float64"), (OnlyDlpack(np.array([[1.5]])), "found an array of float64"),
    (OnlyDlpack(np.array(5)), r"found array\(5\)")], ids=itertools.count())
def test_wrong_columns_are_named(engine, values, found):
    for field, call in (("prompt", engine.generate), ("text", engine.score)):
        with pytest.raises(chorus.InvalidArgumentError, match=rf"^{field}(\[\d\])?: expected .*|{found}") as caught:
            call(values)
        assert caught.value.field == field and re.search(found, str(caught.value)), caught.value


def test_an_empty_text_is_not_scored(engine):
    for text, field in (("", "text"), (["a", ""], r"text\[1\]"), ([[1], []], r"text\[1\]"), ("\ufeff", "text")):
        with pytest.raises(chorus.InvalidArgumentError, match=f"^{field}: expected at least one token, found none"):
            engine.score(text)


def test_other_calls_name_what_is_wrong(engine):
    wrong = [("special", lambda: engine.encode("a", special=1)), ("text", lambda: engine.encode(5)),
             ("text", lambda: engine.encode(["a", b"b"])), ("ids", lambda: engine.decode("a")), ("ids", lambda: engine.decode(["a"])), ("ids", lambda: engine.decode(np.array(5))), ("ids", lambda: engine.decode(5)),
             ("ids", lambda: engine.decode(Column(["a"]))), ("ids", lambda: engine.decode(np.array([["a"]]))),
             ("ids", lambda: engine.decode(None)), ("ids", lambda: engine.decode([1, [2]])), ("ids", lambda: engine.decode([60000])), ("id", lambda: engine.token_bytes(-1)),
             ("id", lambda: engine.token_bytes("1")), ("id", lambda: engine.token_bytes(50304)), ("ids", lambda: engine.logits("a")),
             ("ids", lambda: engine.logits([[1, 2], [3]])), ("bos", lambda: engine.score("a", bos="yes")),
             ("special", lambda: engine.score("a", special=None)), ("rank_and_entropy", lambda: engine.score("a", rank_and_entropy=1)),
             ("stride", lambda: engine.score("a", stride=1.5)), ("engine", lambda: chorus.GPT(chorus.GPTConfig()))]
    for field, call in wrong:
        with pytest.raises(chorus.InvalidArgumentError, match=rf"^{field}(\[\d+\])*: expected ") as caught:
            call()
        assert caught.value.field == field, caught.value


def test_the_talks_class_names_what_is_wrong(engine):
    model = chorus.GPT(engine)
    wrong = [("text", lambda: model.generate(["a"])), ("text", lambda: model.generate(None)), ("text", lambda: model.generate("")),
             ("max_length", lambda: model.generate("a", max_length="5")), ("max_length", lambda: model.generate("a", max_length=None)),
             ("device", lambda: model.to("cuda")), ("model_name", lambda: chorus.GPT.from_pretrained(None)),
             ("model_name", lambda: chorus.GPT.from_pretrained("")), ("model_name", lambda: chorus.GPT.from_pretrained(pathlib.Path("x"))),
             ("model_path", lambda: chorus.GPT.from_local_pretrained(None)), ("idx", lambda: model("ab")), ("idx", lambda: model([[1], [1, 2]])),
             ("targets", lambda: model([[1, 2]], [[1, -1]])), ("targets", lambda: model([[1, 2]], "x"))]
    for field, call in wrong:
        with pytest.raises(chorus.InvalidArgumentError, match=f"^{field}: expected ") as caught:
            call()
        assert caught.value.field == field, caught.value
