"""Surprisal of words, rank and entropy of tokens, computed directly with transformers' model and tokenizers' tokenizer.

usage: surprisal_parity.py CHORUS

The direct computation knows nothing of Chorus: it splits the text with Python's str.split(), finds each word's
tokens by the tokenizer's own offsets, and sums over the vocabulary with PyTorch in double precision.
"""

import csv
import json
import math
import sys
import tempfile
from pathlib import Path

import require_packages  # noqa: F401
import require_torch  # noqa: F401
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast

from chorus_program import LOGPROB_TOLERANCE, Mismatch, report, run

PROGRAM = sys.argv[1]
TEXTS = ["The old tree stood by the river, and nobody knew why.",
         "He said \"hi\" to her; she didn't answer...",
         "One",
         "Two  spaces, a\ttab and a line's\nend. ",
         "Grüße aus Köln: 12 € und ein 🦉 im Café!",
         " It begins with white space.",
         " ".join(["the", "river", "knew", "a", "tree"] * 9)]
BLOCK = 128


def make_model(folder):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(TEXTS * 3, trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<|endoftext|>"]))
    theirs = GPT2TokenizerFast(tokenizer_object=tokenizer)
    theirs.save_pretrained(folder)
    theirs.name_or_path = str(folder)
    torch.manual_seed(7)
    config = GPT2Config(vocab_size=len(theirs), n_positions=BLOCK, n_embd=48, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0)
    model = GPT2LMHeadModel(config)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    return model.eval().double(), theirs


def words_of(text):
    """Each word with its begin and end in characters."""
    at = 0
    for word in text.split():
        at = text.index(word, at)
        yield word, at, at + len(word)
        at += len(word)


def direct(model, tokenizer, text, corrected):
    """[(word, surprisal in bits)] given <|endoftext|> in front."""
    encoded = tokenizer(text, return_offsets_mapping=True)
    # The offset of a token of part of a character is the whole character's: a word's tokens end with it.
    ends = [end for _, end in encoded.offset_mapping]
    with torch.no_grad():
        rows = model(torch.tensor([[0] + encoded.input_ids])).logits[0].log_softmax(-1)
    pieces = [tokenizer.decode([id], clean_up_tokenization_spaces=False) for id in range(len(tokenizer))]
    # Unicode's White_Space, as in GPT-2's pattern; Python's also has the separators U+001C to U+001F.
    begins_word = torch.tensor([id == 0 or piece[:1].isspace() and piece[0] not in "\x1c\x1d\x1e\x1f"
                                for id, piece in enumerate(pieces)])
    ended = rows[:, begins_word].logsumexp(-1)  # by the number of tokens before
    result, first = [], 0
    for word, _, word_end in words_of(text):
        last = first
        while last + 1 < len(ends) and not (ends[last] >= word_end and (ends[last + 1] > word_end)):
            last += 1
        logprob = sum(rows[i, encoded.input_ids[i]].item() for i in range(first, last + 1))
        if corrected:
            logprob += ended[last + 1].item() - (ended[first].item() if first > 0 else 0.0)
        result.append((word, -logprob / math.log(2)))
        first = last + 1
    return result


def check_tokens(model, tokenizer, text):
    """Rank and entropy of each token."""
    ids = tokenizer(text).input_ids
    with torch.no_grad():
        rows = model(torch.tensor([[0] + ids])).logits[0].log_softmax(-1)
    found = json.loads(run(PROGRAM, "score", "--model", tokenizer.name_or_path, "--bos", "--rank-and-entropy", "--json", text))
    for i, id in enumerate(ids):
        entropy = -(rows[i].exp() * rows[i]).sum().item() / math.log(2)
        above = (rows[i] > rows[i, id] + 1e-5).sum().item(), (rows[i] > rows[i, id] - 1e-5).sum().item()
        if abs(found["entropies"][i] - entropy) > LOGPROB_TOLERANCE or not above[0] < found["ranks"][i] <= above[1] + 1:
            raise Mismatch(f"token {i} of {text!r}: rank {found['ranks'][i]} and {found['entropies'][i]} bits, "
                           f"PyTorch {above[0] + 1} and {entropy}")


def check(place, found, expected):
    if [word for word, _ in found] != [word for word, _ in expected]:
        raise Mismatch(f"{place}: words {found}, expected {expected}")
    largest = 0.0
    for (word, bits), (_, theirs) in zip(found, expected):
        largest = max(largest, abs(bits - theirs))
        if not abs(bits - theirs) <= 10 * LOGPROB_TOLERANCE:
            raise Mismatch(f"{place}: {word!r} has {bits} bits, PyTorch {theirs}")
    return largest


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        model, tokenizer = make_model(folder)
        largest, count = 0.0, 0
        for text in TEXTS:
            check_tokens(model, tokenizer, text)
        for boundary in ("corrected", "leading"):
            for text in TEXTS:
                expected = direct(model, tokenizer, text, boundary == "corrected")
                output = run(PROGRAM, "score", "--model", folder, "--bos", "--words", "--boundary", boundary, "--json", text)
                found = [(word["word"], word["surprisal"]) for word in json.loads(output)["words"]]
                largest = max(largest, check(f"{boundary}, {text!r}", found, expected))
                count += len(found)
            # A table, as R and pandas write it, and read it again.
            table = Path(temporary) / "items.csv"
            with table.open("w", newline="", encoding="utf-8-sig") as file:
                writer = csv.writer(file)
                writer.writerow(["item", "sentence", "group"])
                writer.writerows([[f"i{i}", text, "a,\"b\""] for i, text in enumerate(TEXTS)])
            output = run(PROGRAM, "score", "--model", folder, "--bos", "--words", "--boundary", boundary,
                         "--csv", table, "--column", "sentence")
            rows = list(csv.DictReader(output.splitlines()))
            for i, text in enumerate(TEXTS):
                of_text = [row for row in rows if row["item"] == f"i{i}"]
                check(f"CSV, {text!r}", [(row["word"], float(row["surprisal"])) for row in of_text],
                      direct(model, tokenizer, text, boundary == "corrected"))
                if any(row["group"] != "a,\"b\"" or row["row"] != str(i + 1) for row in of_text):
                    raise Mismatch(f"CSV: {of_text}")
    print(f"{count} words within {largest:.1e} bits of PyTorch {torch.__version__}")


report(main)
