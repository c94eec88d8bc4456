"""Tokenizers of models' own against Hugging Face's tokenizers and transformers: the same ids for thousands of
strings, and the same texts back. Vocabularies are trained here, on a text of another language."""

import collections
import itertools
import json
import pickle
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import require_packages  # noqa: F401  (first: it ends the test where they are missing)
import numpy
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, GPT2TokenizerFast

PROGRAM = sys.argv[1]
STRINGS = 2000

# From the first song of the Kalevala (1849; public domain).
FINNISH = """Mieleni minun tekevi, aivoni ajattelevi lähteäni laulamahan, saa'ani sanelemahan, sukuvirttä
suoltamahan, lajivirttä laulamahan. Sanat suussani sulavat, puhe'et putoelevat, kielelleni kerkiävät,
hampahilleni hajoovat. Veli kulta, veikkoseni, kaunis kasvinkumppalini! Lähe nyt kanssa laulamahan, saa kera
sanelemahan yhtehen yhyttyämme, kahta'alta käytyämme! Harvoin yhtehen yhymme, saamme toinen toisihimme näillä
raukoilla rajoilla, poloisilla Pohjan mailla. Lyökämme käsi kätehen, sormet sormien lomahan, lauloaksemme
hyviä, parahia pannaksemme, kuulla noien kultaisien, tietä mielitehtoisien, nuorisossa nousevassa,
kansassa kasuavassa: noita saamia sanoja, virsiä virittämiä vyöltä vanhan Väinämöisen, alta ahjon Ilmarisen,
päästä kalvan Kaukomielen, Joukahaisen jousen tieltä, Pohjan peltojen periltä, Kalevalan kankahilta.
""" * 3 + "10 20 30 1849 1850 'll 're 's\n\n\t  x\u3000y £ € 中文 日本語 ελληνικά русский 🦉🌲"

PARTS = (FINNISH.split() * 2 + list(FINNISH[:400]) + [" ", "  ", "   ", "\n", "\n\n", "\t", "\u3000", "\u00a0", "'s", "'LL",
         "we'll", "123", "4", ",", "...", "==", "-", "é", "e\u0301", "中", "文", "🦉", "👩\u200d🚀", "\u200b", "ﬁ", "Ω",
         "\u0000", "\u007f", "<", "|", "|>", "_", "a_b", "ß", "ა", "١٢", "½", "ab" * 20, "=" * 30, " " * 17])


def random_texts(seed, further=()):
    """STRINGS texts of parts that are hard to tell apart, `further` ones often among them."""
    rng = random.Random(seed)
    texts = ["", " ", "\n", *further]
    while len(texts) < STRINGS:
        parts = PARTS + list(further) * (len(PARTS) // max(1, 2 * len(further)))
        texts.append(rng.choice(["", " "]).join(rng.choice(parts) for _ in range(rng.randrange(1, 25))))
    return texts[:STRINGS]


def chorus(*arguments, lines=None):
    text = "" if lines is None else "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([PROGRAM, *arguments], input=text.encode(), capture_output=True, timeout=300)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def ids_of(place, texts, special):
    code, out, err = chorus("tokenize", "--tokenizer", str(place), "--jsonl", *["--special"] * special,
                            lines=[{"text": text} for text in texts])
    assert code == 0, err
    return [json.loads(line)["ids"] for line in out.splitlines()]


def texts_of(place, ids):
    code, out, err = chorus("detokenize", "--tokenizer", str(place), "--jsonl", lines=[{"ids": one} for one in ids])
    assert code == 0, err
    return [json.loads(line)["text"] for line in out.splitlines()]


def train(size=600, alphabet=None, **pre_tokenizer):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(**pre_tokenizer)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(FINNISH.splitlines(keepends=True), trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if alphabet is None else alphabet))
    return tokenizer


def compare(name, place, tokenizer, texts, decodes=True, round_trip=False):
    for special in (True, False):
        tokenizer.encode_special_tokens = not special
        expected = [tokenizer.encode(text).ids for text in texts]
        for text, mine, theirs in zip(texts, ids_of(place, texts, special), expected, strict=True):
            assert mine == theirs, (name, special, text, mine, theirs)
    if decodes:
        rng = random.Random(3)
        mixed = [rng.choices(range(tokenizer.get_vocab_size()), k=rng.randrange(12)) for _ in range(300)]
        for ids, mine in zip(expected + mixed, texts_of(place, expected + mixed), strict=True):
            assert mine == tokenizer.decode(ids, skip_special_tokens=False), (name, ids)
    if round_trip:
        assert texts_of(place, expected) == texts, name
    print(f"{name}: {len(texts)} strings agree")


def saved(tokenizer, folder):
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def changed(source, folder, change):
    """A copy of a tokenizer.json with `change` made to its JSON; and what tokenizers makes of it."""
    folder.mkdir()
    parsed = json.loads((source / "tokenizer.json").read_text())
    change(parsed)
    (folder / "tokenizer.json").write_text(json.dumps(parsed))
    return folder


def plain(work):
    texts = random_texts(1)
    for prefix in (False, True):
        tokenizer = train(add_prefix_space=prefix)
        folder = saved(tokenizer, work / f"prefix_{prefix}")
        compare(f"trained, add_prefix_space {prefix}", folder, tokenizer, texts, round_trip=not prefix)
    tokenizer = train(add_prefix_space=False)
    pair = work / "vocab_and_merges"
    pair.mkdir()
    tokenizer.model.save(str(pair))
    compare("vocab.json and merges.txt", pair, tokenizer, texts)
    compare("merges.txt named", pair / "merges.txt", tokenizer, texts[:200])
    text = (pair / "merges.txt").read_text()
    (pair / "merges.txt").write_bytes(text.replace("\n", "\r\n").encode())
    compare("merges.txt with CRLF", pair, tokenizer, texts[:200])

    def to_pairs(parsed):
        merges = parsed["model"]["merges"]
        parsed["model"]["merges"] = [one.split(" ") if isinstance(one, str) else one for one in merges]
    compare("merges as pairs", changed(work / "prefix_False", work / "pairs", to_pairs), tokenizer, texts[:200])

    def renumber(parsed):
        # Ids that are not in the order of the merges; the ranks are what counts.
        vocabulary = parsed["model"]["vocab"]
        ids = list(vocabulary.values())
        random.Random(5).shuffle(ids)
        parsed["model"]["vocab"] = dict(zip(vocabulary, ids))
    folder = changed(work / "prefix_False", work / "renumbered", renumber)
    compare("renumbered", folder, Tokenizer.from_file(str(folder / "tokenizer.json")), texts)

    def drop_merges(parsed):
        # Tokens that their own bytes no longer merge into.
        merges = parsed["model"]["merges"]
        parsed["model"]["merges"] = [one for i, one in enumerate(merges) if i % 5]
    folder = changed(work / "prefix_False", work / "unreachable", drop_merges)
    compare("unreachable tokens", folder, Tokenizer.from_file(str(folder / "tokenizer.json")), texts)

    def shuffle_merges(parsed):
        random.Random(6).shuffle(parsed["model"]["merges"])
    folder = changed(work / "prefix_False", work / "shuffled", shuffle_merges)
    compare("shuffled ranks", folder, Tokenizer.from_file(str(folder / "tokenizer.json")), texts)

    def ignore(parsed):
        drop_merges(parsed)
        parsed["model"]["ignore_merges"] = True
    folder = changed(work / "prefix_False", work / "ignore_merges", ignore)
    compare("ignore_merges", folder, Tokenizer.from_file(str(folder / "tokenizer.json")), texts)


def missing_bytes(work):
    texts = random_texts(2)
    base = saved(train(300, alphabet=list("abcdefghijklmnopqrstuvwxyzĠ"), add_prefix_space=False), work / "few_bytes")
    for unk, fuse in ((None, False), ("[UNK]", False), ("[UNK]", True)):
        def change(parsed, unk=unk, fuse=fuse):
            model = parsed["model"]
            # Only ASCII letters and the space keep their tokens.
            keep = {t: i for t, i in model["vocab"].items() if all(c in "abcdefghijklmnopqrstuvwxyzĠ" for c in t)}
            model["vocab"] = {t: i for i, t in enumerate(keep)}
            model["merges"] = [m for m in model["merges"]
                               if all(t in keep for t in [*m.split(" "), m.replace(" ", "")])]
            if unk:
                model["vocab"][unk] = len(keep)
            model["unk_token"], model["fuse_unk"] = unk, fuse
        folder = changed(base, work / f"unk_{unk}_{fuse}", change)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        compare(f"few bytes, unk_token {unk}, fuse_unk {fuse}", folder, tokenizer, texts)


def added_tokens(work):
    """Every combination of the flags."""
    tokenizer = train(add_prefix_space=False)
    contents = []
    for special, (lstrip, rstrip, single_word, normalized) in itertools.product(
            (False, True), itertools.product((False, True), repeat=4)):
        content = f"<{'S' if special else 'n'}{'l' * lstrip}{'r' * rstrip}{'w' * single_word}{'z' * normalized}>"
        token = AddedToken(content, lstrip=lstrip, rstrip=rstrip, single_word=single_word, normalized=normalized)
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)([token])
        contents.append(content)
    # Words that hold each other, that begin and end as words do, or with white space. (White space that also takes
    # the white space before it makes tokenizers panic: "bad split".)
    for word, flags in (("sanat", {"single_word": True}), ("sana", {}), ("sanatla", {"normalized": False}), ("atl", {}),
                        ("laulu", {"lstrip": True, "rstrip": True}), (" kulta", {"rstrip": True}), ("  ", {}),
                        ("\u3000", {"rstrip": True}), ("中文", {"single_word": True})):
        tokenizer.add_tokens([AddedToken(word, **flags)])
        contents.append(word)
    folder = saved(tokenizer, work / "added")
    further = contents + [a + b for a, b in zip(contents, reversed(contents))] + \
        [f"a{c}b" for c in contents] + [f"  {c}  " for c in contents] + ["sanatlaulu", "sanatl", "sanas", "é中文", "中文é"]
    compare("added tokens", folder, tokenizer, random_texts(4, further))
    prefixed = changed(folder, work / "added_prefix", lambda parsed: parsed["pre_tokenizer"].update(add_prefix_space=True))
    compare("added tokens, add_prefix_space", prefixed, Tokenizer.from_file(str(prefixed / "tokenizer.json")),
            random_texts(5, further))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<S> $A <Sl>", special_tokens=[("<S>", tokenizer.token_to_id("<S>")), ("<Sl>", tokenizer.token_to_id("<Sl>"))])
    compare("TemplateProcessing", saved(tokenizer, work / "template"), tokenizer, random_texts(6, further))


def transformers_folders(work):
    """What GPT2TokenizerFast saves, and the older files, loaded by AutoTokenizer."""
    tokenizer = train(1000, add_prefix_space=False)
    vocabulary = work / "for_transformers"
    vocabulary.mkdir()
    tokenizer.model.save(str(vocabulary))

    def check(name, folder, further):
        (folder / "config.json").write_text('{"model_type": "gpt2"}')
        theirs = AutoTokenizer.from_pretrained(str(folder)).backend_tokenizer
        compare(name, folder, theirs, random_texts(name, further), decodes=False)

    further = ["<|endoftext|>", "<a>", "<b>", "x<a>y", " <b> "]
    for prefix in (False, True):
        fast = GPT2TokenizerFast(str(vocabulary / "vocab.json"), str(vocabulary / "merges.txt"), add_prefix_space=prefix,
                                 bos_token="<a>", pad_token="<p>")
        fast.add_tokens([AddedToken("<b>", lstrip=True, rstrip=True)])
        folder = work / f"saved_{prefix}"
        fast.save_pretrained(str(folder))
        check(f"save_pretrained, add_prefix_space {prefix}", folder, further)
        (folder / "tokenizer.json").unlink()
        check(f"the same without tokenizer.json, {prefix}", folder, further)

    # Special tokens that the vocabulary does not have: <|endoftext|> by itself, others by name.
    for name, fields in (("class alone", {}), ("roles", {"pad_token": "<p>", "eos_token": "<a>",
                                                         "additional_special_tokens": ["<b>"]}),
                         ("in order", {"mask_token": "<a>", "sep_token": "<b>", "bos_token": "<p>"})):
        for fast in (True, False):
            folder = work / f"without_ids_{name}_{fast}".replace(" ", "_")
            folder.mkdir()
            if fast:
                tokenizer.save(str(folder / "tokenizer.json"))
            else:
                tokenizer.model.save(str(folder))
            (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer", **fields}))
            check(f"special tokens without ids: {name}, tokenizer.json {fast}", folder, further + ["<p>", "a<p> <b>"])

    legacy = work / "legacy"
    legacy.mkdir()
    size = tokenizer.get_vocab_size()
    for name in ("vocab.json", "merges.txt"):
        (legacy / name).write_bytes((vocabulary / name).read_bytes())
    (legacy / "added_tokens.json").write_text(json.dumps({"<|endoftext|>": size, "<a>": size + 1, "<b>": size + 2}))
    (legacy / "special_tokens_map.json").write_text(json.dumps(
        {"bos_token": "<|endoftext|>", "eos_token": {"content": "<a>", "lstrip": False, "rstrip": False,
         "normalized": True, "single_word": False}, "unk_token": "<|endoftext|>"}))
    check("added_tokens.json and special_tokens_map.json", legacy, further)
    (legacy / "tokenizer_config.json").write_text('{"add_bos_token": true, "add_prefix_space": true}')
    check("add_bos_token", legacy, further)


def characters(work):
    """nanoGPT's meta.pkl, by its own two lines of encode and decode."""
    alphabet = sorted(set(FINNISH))
    stoi = {c: i for i, c in enumerate(alphabet)}
    itos = dict(enumerate(alphabet))
    rng = random.Random(8)
    texts = ["".join(rng.choices(alphabet, k=rng.randrange(60))) for _ in range(STRINGS)]
    expected = [[stoi[c] for c in text] for text in texts]
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        place = work / f"meta{protocol}.pkl"
        place.write_bytes(pickle.dumps({"vocab_size": len(alphabet), "itos": itos, "stoi": stoi}, protocol))
        assert ids_of(place, texts, False) == expected
        assert texts_of(place, expected) == texts
    # As scripts write it that count with NumPy, and keep more in it.
    place.write_bytes(pickle.dumps(collections.OrderedDict(
        stoi=collections.OrderedDict((c, numpy.int64(i)) for c, i in stoi.items()),
        itos={numpy.int32(i): c for i, c in itos.items()}, vocab_size=numpy.int64(len(alphabet)),
        source=Path("input.txt"), counts=collections.Counter(FINNISH))))
    assert ids_of(place, texts[:200], False) == expected[:200]
    code, out, err = chorus("tokenize", "--tokenizer", str(place), "Ξ")
    assert code == 1 and "Ξ" in err, (out, err)
    print(f"characters: {len(texts)} strings agree")


def long_texts(work):
    """Time is linear in the text, whatever it repeats."""
    tokenizer = train(add_prefix_space=False)
    tokenizer.add_tokens([AddedToken("a" * 500 + "b"), AddedToken(" ", lstrip=True, rstrip=True), AddedToken("<n>")])
    folder = saved(tokenizer, work / "long")
    for part in ("a", " ", "ab", "<n", "<n>", "sana", "\n ", "中"):
        begin = time.monotonic()
        text = part * (2_000_000 // len(part))
        assert ids_of(folder, [text], True)[0]
        seconds = time.monotonic() - begin
        assert seconds < 60, (part, seconds)
        short = part * 2000
        assert ids_of(folder, [short], True)[0] == tokenizer.encode(short).ids, part
    print("two million bytes of anything: linear")


def refused(work):
    """What would be computed otherwise is refused by its name."""
    base = saved(train(add_prefix_space=False), work / "base")

    def error(name, change):
        folder = changed(base, work / f"refused_{name}", change)
        code, out, err = chorus("tokenize", "--tokenizer", str(folder), "x")
        assert code == 1 and not out, (name, out)
        return err

    for name, change, words in (
            ("normalizer", lambda p: p.update(normalizer={"type": "NFC"}), ["normalizer", "NFC"]),
            ("split", lambda p: p.update(pre_tokenizer={"type": "Whitespace"}), ["pre_tokenizer", "Whitespace"]),
            ("no_split", lambda p: p.update(pre_tokenizer=None), ["pre_tokenizer"]),
            ("no_regex", lambda p: p["pre_tokenizer"].update(use_regex=False), ["pre_tokenizer", "use_regex"]),
            ("digits", lambda p: p.update(pre_tokenizer={"type": "Sequence", "pretokenizers": [
                {"type": "Digits", "individual_digits": True}, p["pre_tokenizer"]]}), ["pre_tokenizer", "Sequence"]),
            ("decoder", lambda p: p.update(decoder={"type": "Metaspace", "replacement": "_"}), ["decoder", "Metaspace"]),
            ("roberta", lambda p: p.update(post_processor={"type": "RobertaProcessing"}), ["post_processor", "Roberta"]),
            ("dropout", lambda p: p["model"].update(dropout=0.1), ["model.dropout"]),
            ("suffix", lambda p: p["model"].update(end_of_word_suffix="</w>"), ["end_of_word_suffix", "</w>"]),
            ("prefix", lambda p: p["model"].update(continuing_subword_prefix="##"), ["continuing_subword_prefix"]),
            ("fallback", lambda p: p["model"].update(byte_fallback=True), ["byte_fallback"]),
            ("wordpiece", lambda p: p["model"].update(type="WordPiece"), ["WordPiece"]),
            ("unigram", lambda p: p["model"].update(type="Unigram"), ["Unigram"]),
            ("merge", lambda p: p["model"]["merges"].append("nosuch token"), ["nosuch"])):
        err = error(name, change)
        assert all(word in err for word in words), (name, err)
    print("other kinds are refused by name")


with tempfile.TemporaryDirectory() as temporary:
    for test in (plain, missing_bytes, added_tokens, transformers_folders, characters, long_texts, refused):
        folder = Path(temporary) / test.__name__
        folder.mkdir()
        test(folder)
