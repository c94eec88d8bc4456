"""A model's chat template as transformers uses it: the ids of apply_chat_template() and those of a server's
/tokenize with the same messages, for folders that save_pretrained() wrote.

usage: chat_parity.py CHORUS
"""

import json
import os
import sys
import tempfile

import require_packages  # noqa: F401  first: ends the test where there are none
from require_torch import torch
from transformers import GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))
from serving import Server  # noqa: E402

TEMPLATES = [
    "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}",
    "{{ bos_token }}{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] | trim + '<|im_end|>\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
]
CHATS = [
    [{"role": "user", "content": "Hello!"}],
    [{"role": "system", "content": " Be brief.\n"}, {"role": "user", "content": "Tell me of caf\u00e9s \U0001f600"},
     {"role": "assistant", "content": "Which?"}, {"role": "user", "content": "All <|endoftext|> of <|im_end|> them"}],
]


def write_folder(folder, template):
    """GPT-2's vocabulary as bytes alone, so that nothing must be fetched, and ChatML's tokens."""
    from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode
    letters = list(bytes_to_unicode().values())
    pairs = [("\u0120", "t"), ("h", "e"), ("i", "n"), ("\u0120t", "he")]
    names = letters + ["".join(pair) for pair in pairs] + ["<|endoftext|>"]
    with open(os.path.join(folder, "vocab.json"), "w", encoding="utf-8") as file:
        json.dump({name: number for number, name in enumerate(names)}, file)
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as file:
        file.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in pairs))
    tokenizer = GPT2TokenizerFast(os.path.join(folder, "vocab.json"), os.path.join(folder, "merges.txt"))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_positions=256, n_embd=32, n_layer=1, n_head=2,
                               bos_token_id=tokenizer.bos_token_id,
                               eos_token_id=tokenizer.eos_token_id)).save_pretrained(folder)
    return tokenizer


def main():
    compared = 0
    for template in TEMPLATES:
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = write_folder(folder, template)
            with Server(sys.argv[1], "--model", folder, "--chat-template", "model") as server:
                for chat in CHATS:
                    for prompt in (False, True):
                        expected = tokenizer.apply_chat_template(chat, add_generation_prompt=prompt)
                        status, found = server.post("/tokenize", {"messages": chat, "add_generation_prompt": prompt})
                        assert status == 200, found
                        assert found["tokens"] == expected, (template, chat, found["tokens"], expected)
                        compared += 1
                status, answer = server.post("/v1/chat/completions", {"messages": chat, "max_tokens": 4})
                assert status == 200 and answer["usage"]["prompt_tokens"] == len(expected), answer
    print(compared, "chats, the same ids as apply_chat_template()'s")


main()
