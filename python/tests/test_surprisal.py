"""Surprisal of words and tokens: what `chorus score` writes, as an array."""

import csv
import io
import os
import subprocess
import sys
import types

import numpy as np
import pytest

import chorus

SENTENCES = ["The children went outside to play.", "Well, the  old king (who slept) said: \"No!\"", "für 漢字 it was"]


class Column:
    """What of a column of pandas counts here: it can be iterated, and is no list."""

    def __init__(self, texts):
        self._texts = texts
        self.ndim = 1

    def __iter__(self):
        return iter(self._texts)

    def __array__(self, dtype=None, copy=None):
        return np.array(self._texts, object)


def by_program(*options):
    """The rows that `chorus score --csv` gives for the sentences."""
    program = os.environ.get("PROGRAM_TO_COMPARE_WITH")
    if not program:
        pytest.skip("PROGRAM_TO_COMPARE_WITH names no chorus")
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerows([["sentence"], *([sentence] for sentence in SENTENCES)])
    output = subprocess.run([program, "score", "--csv", "-", "--column", "sentence", *options],
                            input=table.getvalue(), capture_output=True, text=True, check=True).stdout
    return list(csv.DictReader(io.StringIO(output)))


def number(text):
    return float(text) if text else float("nan")


@pytest.mark.parametrize("options", [dict(), dict(bos=True), dict(boundary="leading"), dict(boundary="leading", bos=True)])
def test_words_are_the_programs(engine, options):
    table = chorus.surprisal(SENTENCES, model=engine, **options)
    arguments = ["--words", "--boundary", options.get("boundary", "corrected")] + (["--bos"] if "bos" in options else [])
    expected = by_program(*arguments)
    assert [(row["row"], row["position"], row["word"], row["tokens"]) for row in table] == [
        (int(row["row"]), int(row["position"]), row["word"], int(row["tokens"])) for row in expected]
    np.testing.assert_allclose(table["surprisal"], [number(row["surprisal"]) for row in expected], atol=1e-4)
    assert np.isnan(table["surprisal"]).any() == ("bos" not in options)


def test_tokens_are_the_programs(engine):
    table = chorus.surprisal(SENTENCES, words=False, model=engine, bos=True)
    expected = by_program("--rank-and-entropy", "--bos")
    for name in ("position", "id", "context", "rank"):
        assert table[name].tolist() == [int(row[name]) for row in expected], name
    assert table["token"].tolist() == [row["token"] for row in expected]
    assert "bytes:\\xbc" in table["token"].tolist()  # part of a character, which no text is
    for name in ("surprisal", "entropy"):
        np.testing.assert_allclose(table[name], [number(row[name]) for row in expected], atol=1e-4)


def test_tokens_add_up_to_leading_words(engine):
    words = chorus.surprisal(SENTENCES, model=engine, bos=True, boundary="leading")
    tokens = chorus.surprisal(SENTENCES, words=False, model=engine, bos=True)
    for row in (1, 2, 3):
        assert abs(words["surprisal"][words["row"] == row].sum() - tokens["surprisal"][tokens["row"] == row].sum()) < 1e-6
    score = engine.score(SENTENCES, bos=True, rank_and_entropy=True)
    assert np.concatenate([one.ranks for one in score]).tolist() == tokens["rank"].tolist()


def test_one_text_and_the_models_own_kinds_of_input(engine):
    one = chorus.surprisal(SENTENCES[0], model=engine)
    assert one["word"].tolist() == SENTENCES[0].split()
    array = chorus.surprisal(np.array(SENTENCES), model=engine)
    assert array["word"].tolist() == chorus.surprisal(tuple(SENTENCES))["word"].tolist()  # the model in the package
    assert len(chorus.surprisal([], model=engine)) == 0
    expected = chorus.surprisal(SENTENCES, model=engine).tolist()
    for sentences in ((one for one in SENTENCES), np.array(SENTENCES, object), Column(SENTENCES)):
        assert str(chorus.surprisal(sentences, model=engine).tolist()) == str(expected)
    by_model = chorus.surprisal(SENTENCES, model=chorus.GPT(engine), stride=np.int64(0), bos=np.False_)
    assert str(by_model.tolist()) == str(expected)


def test_a_byte_order_mark_is_never_a_token(engine):
    marked = ["\ufeff" + sentence for sentence in SENTENCES]
    for words in (True, False):
        table = chorus.surprisal(marked, words, model=engine, bos=True)
        assert table.tolist() == chorus.surprisal(SENTENCES, words, model=engine, bos=True).tolist()
    assert engine.score("\ufeff\ufeffThe cat").ids == engine.encode("The cat")
    assert engine.encode("\ufeffThe") != engine.encode("The")  # a text that is continued is taken as it is


def test_fields_are_plain_arrays(engine):
    table = chorus.surprisal(SENTENCES, model=engine, bos=True)
    assert type(table["surprisal"]) is np.ndarray and isinstance(table["surprisal"].mean(), np.float64)
    assert type(table["surprisal"][0]) is np.float64
    assert isinstance(table[:3], chorus.SurprisalTable) and isinstance(table[["row", "word"]], chorus.SurprisalTable)
    assert isinstance(table[table["row"] == 2], chorus.SurprisalTable)


def test_what_is_wrong_is_named(engine):
    for sentences, message in ((["fine", 5], r"found 5 at sentences\[1\]"), (["", "x"], r"empty one at sentences\[0\]"),
                               ([b"x"], "found b'x'"), (["x", None], r"found None at sentences\[1\]"),
                               (["x", float("nan")], r"found nan at sentences\[1\]"), (None, "in order, found None"),
                               (5, "in order, found 5"), (b"x", "in order, found b'x'"), ({"x": 1}, "in order, found {'x': 1}"),
                               ({"x"}, "in order, found {'x'}"), (np.array("x"), "in order, found array"),
                               (np.array([["x"]]), "expected a column, found a table of 1 rows"),
                               (["x", " \t"], r"empty one at sentences\[1\]"), (["\u00a0\u3000"], "an empty one"),
                               (["\ufeff"], "an empty one")):
        with pytest.raises(chorus.InvalidArgumentError, match=message) as caught:
            chorus.surprisal(sentences, model=engine)
        assert caught.value.field == "sentences"
    for words in (True, False):
        with pytest.raises(chorus.InvalidArgumentError, match="boundary: expected corrected or leading, found 'exact'"):
            chorus.surprisal("x", words, model=engine, boundary="exact")
        for boundary in (None, 5, np.array(["corrected", "leading"]), ["corrected"]):
            with pytest.raises(chorus.InvalidArgumentError, match="^boundary: expected corrected or leading, found "):
                chorus.surprisal("x", words, model=engine, boundary=boundary)
    for field, value in (("words", None), ("words", "no"), ("bos", 1), ("bos", "yes"), ("stride", 2.0), ("stride", -1),
                         ("stride", 10**9), ("stride", None), ("model", 5), ("model", b"gpt2"), ("model", "")):
        with pytest.raises(chorus.InvalidArgumentError, match=f"^{field}: expected ") as caught:
            chorus.surprisal("a b", **{"model": engine, field: value})
        assert caught.value.field == field


def test_reading_in_windows_is_said(engine, caplog):
    block = engine.info.block_size
    fits, over = " the" * block, " the" * (block + 1)
    for bos, words in ((False, True), (True, False)):
        caplog.clear()
        chorus.surprisal(["One day", fits[4 * bos:]], words, model=engine, bos=bos)
        assert not caplog.records
        chorus.surprisal(["One day", over[4 * bos:], over], words, model=engine, bos=bos)
        assert [record.getMessage() for record in caplog.records] == [
            f"sentences[1] and 1 more: more tokens than the model's block of {block}: read in windows (stride)"]


def test_to_pandas(engine, monkeypatch):
    pandas = types.ModuleType("pandas")  # which the machine need not have
    pandas.DataFrame = dict
    monkeypatch.setitem(sys.modules, "pandas", pandas)
    table = chorus.surprisal(SENTENCES, model=engine)
    frame = table.to_pandas()
    assert list(frame) == ["row", "position", "word", "tokens", "surprisal"]
    assert frame["word"].tolist() == table["word"].tolist()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"to_pandas\(\) needs pandas \(pip install pandas\)"):
        table.to_pandas()
