# The talk's program: a GPT-2 that was trained with build-nanogpt continues a prompt, alone and from many
# threads at once. Of the original only the import of GPT is another: from parallelopedia.gpt2 import GPT.
#
# usage: python talk.py model_19072.pt

import logging
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

from chorus import GPT

logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(levelname)s - %(message)s")

model = GPT.from_local_pretrained(sys.argv[1], map_location="cpu")

prompt = "Albert Einstein's Theory of Relativity stated that"
print(model.generate(prompt, max_length=100, top_k=50, seed=42))

results: dict[int, str] = {}
with ThreadPoolExecutor(max_workers=8) as executor:
    futures = {executor.submit(model.generate, prompt, max_length=60, seed=seed): seed for seed in range(8)}
    for future in as_completed(futures):
        results[futures[future]] = future.result()

for seed, text in sorted(results.items()):
    print(f"--- seed {seed}")
    print(text)
