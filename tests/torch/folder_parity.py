"""`chorus convert IN OUT/` writes a folder that transformers loads: the same model and the same tokenizer."""

import json
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import require_packages  # noqa: F401
import require_torch  # noqa: F401
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast,
                          PreTrainedTokenizerFast)

import checkpoint_files
import gpt2_reference
from chorus_program import Mismatch, check_scores, report, run

PROGRAM = sys.argv[1]
TEXTS = ["", " ", "Das ist ein kleines Haus.", "zwei  Wörter\n\n<a> 12<|endoftext|>x", "ÄÖÜ ß 中 🦉", "<b><a> <b>"]


def expect(condition, *what):
    if not condition:
        raise Mismatch(" ".join(map(str, what)))


def convert(source, folder, *options):
    run(PROGRAM, "convert", source, f"{folder}/", *options)
    return folder


def check_model(name, source, folder, ids, *options):
    """transformers' log-probabilities of the folder are chorus's of the source, and chorus's of both are one."""
    model, loading = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True, torch_dtype="auto")
    expect(not any(loading.values()), name, loading)
    with torch.no_grad():
        logits = model.float()(torch.tensor([ids])).logits[0]
    rows = logits.log_softmax(-1)[:-1]
    expected = rows[range(len(ids) - 1), ids[1:]].tolist()
    words = ("--ids", ",".join(map(str, ids)), "--json", *options)
    mine = json.loads(run(PROGRAM, "score", "--model", source, *words))
    check_scores(name, mine, ids, expected)
    expect(json.loads(run(PROGRAM, "score", "--model", folder, *words)) == mine, name, "the folder's scores differ")
    return model


def check_tokenizer(name, folder, theirs):
    """`theirs` made the ids of the source; what AutoTokenizer loads from the folder makes the same, and so does chorus."""
    loaded = AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        ids = theirs(text).input_ids
        expect(loaded(text).input_ids == ids, name, repr(text), loaded(text).input_ids, ids)
        expect(loaded.decode(ids) == theirs.decode(ids, clean_up_tokenization_spaces=False), name, repr(text))
        mine = json.loads(run(PROGRAM, "tokenize", "--tokenizer", folder, "--special", "--json", text))["ids"]
        expect(mine == ids, name, repr(text), mine, ids)
    return loaded


def trained():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([" ".join(TEXTS)] * 3, trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<|endoftext|>"]))
    return tokenizer


def hugging_face(work):
    """A folder in, a folder out, with every kind of head and of number."""
    backend = trained()
    theirs = GPT2TokenizerFast(tokenizer_object=backend, pad_token="<p>")
    theirs.add_tokens([AddedToken("<a>", lstrip=True), AddedToken("<b>", special=True)])
    for tied, dtype in ((True, torch.float32), (False, torch.float32), (True, torch.bfloat16), (True, torch.float16)):
        name = f"tied {tied}, {dtype}"
        source = work / f"{tied}_{dtype}"
        torch.manual_seed(1)
        config = GPT2Config(vocab_size=len(theirs), n_positions=32, n_embd=24, n_layer=2, n_head=3, tie_word_embeddings=tied,
                            activation_function="relu", layer_norm_epsilon=1e-4, bos_token_id=0, eos_token_id=[0, 5])
        model = GPT2LMHeadModel(config)
        if not tied:
            model.lm_head.weight.data.normal_(0, 0.1)
        model.to(dtype).save_pretrained(source)
        theirs.save_pretrained(source)
        folder = convert(source, work / f"{tied}_{dtype}_out")
        options = [] if dtype == torch.float32 else ["--dtype", "f32"]
        loaded = check_model(name, source, folder, [0, 7, 200, 3, 299, 12], *options)
        expect(json.loads((folder / "config.json").read_text())["torch_dtype"] == str(dtype).split(".")[1], name)
        expect(loaded.generation_config.eos_token_id == [0, 5], name, loaded.generation_config)
        expect(loaded.generation_config.bos_token_id == 0, name)
        again = check_tokenizer(name, folder, theirs)
        expect(again.pad_token == "<p>" and again.eos_token == "<|endoftext|>", name, again)


def pytorch(work):
    """A .pt of GPT-2's tokenizer: with biases and without, nanoGPT's and build-nanogpt's."""
    for bias in (True, False):
        source = work / f"{bias}.pt"
        config = gpt2_reference.Config(block_size=16, vocab_size=50304, n_layer=2, n_head=2, n_embd=16, bias=bias)
        state = gpt2_reference.random_weights(config, 5)
        checkpoint_files.save_nanogpt(source, config, state)
        folder = convert(source, work / f"{bias}")
        model = check_model(f"nanoGPT, bias {bias}", source, folder, [50256, 15496, 11, 995])
        expect(model.config.eos_token_id == 50256, model.config)
        loaded = AutoTokenizer.from_pretrained(folder)
        expect(loaded("Hello, world<|endoftext|>").input_ids == [15496, 11, 995, 50256], loaded)


def characters(work):
    """nanoGPT's characters become a tokenizer that transformers has, too; their meta.pkl lies beside the checkpoint, or
    with the data, where nanoGPT keeps it."""
    alphabet = sorted(set("".join(TEXTS)))
    meta = pickle.dumps({"vocab_size": len(alphabet), "itos": dict(enumerate(alphabet)),
                         "stoi": {c: i for i, c in enumerate(alphabet)}})
    config = gpt2_reference.Config(block_size=16, vocab_size=len(alphabet), n_layer=1, n_head=2, n_embd=16)
    places = {"beside": (Path("ckpt.pt"), Path("meta.pkl")),
              "with_data": (Path("out-shakespeare-char/ckpt.pt"), Path("data/shakespeare/meta.pkl"))}
    for name, (checkpoint, meta_place) in places.items():
        for place in (work / name / checkpoint, work / name / meta_place):
            place.parent.mkdir(parents=True, exist_ok=True)
        (work / name / meta_place).write_bytes(meta)
        checkpoint = work / name / checkpoint
        checkpoint_files.save_nanogpt(checkpoint, config, gpt2_reference.random_weights(config, 5))
        folder = convert(checkpoint, work / name / "out")
        model = check_model(f"characters, {name}", checkpoint, folder, [1, 5, 3, 9])
        expect(model.generation_config.eos_token_id is None, model.generation_config)
        loaded = AutoTokenizer.from_pretrained(folder)
        for text in TEXTS:
            ids = [alphabet.index(c) for c in text]
            expect(loaded(text).input_ids == ids and loaded.decode(ids) == text, repr(text))
            expect(json.loads(run(PROGRAM, "tokenize", "--model", checkpoint, "--json", text))["ids"] == ids, repr(text))
            expect(json.loads(run(PROGRAM, "tokenize", "--model", folder, "--json", text))["ids"] == ids, repr(text))


def other_names(work):
    """What is not safetensors is not filled with it."""
    source = work / "source"
    GPT2LMHeadModel(GPT2Config(vocab_size=300, n_positions=8, n_embd=8, n_layer=1, n_head=1)).save_pretrained(source)
    for name in ("m.gguf", "m.pt", "m.pth", "m.bin", "m.onnx", "m.GGUF", "m.h5", "m.ckpt", "m.ggml", "m.pkl", "m.npz"):
        process = subprocess.run([PROGRAM, "convert", source, work / name], capture_output=True, text=True)
        expect(process.returncode == 1 and "safetensors" in process.stderr, name, process.stderr)
        expect(not (work / name).exists(), name)
    process = subprocess.run([PROGRAM, "convert", source, f"{work}/out/", "--dtype", "int8"], capture_output=True, text=True)
    expect(process.returncode == 1 and "transformers" in process.stderr, process.stderr)
    process = subprocess.run([PROGRAM, "convert", source, f"{source}/"], capture_output=True, text=True)
    expect(process.returncode == 1 and "would replace" in process.stderr, process.stderr)


def main():
    with tempfile.TemporaryDirectory() as temporary:
        for test in (hugging_face, pytorch, characters, other_names):
            folder = Path(temporary) / test.__name__
            folder.mkdir()
            test(folder)
            print(f"{test.__name__}: as transformers has it")


report(main)
