"""Ends the test where transformers, tokenizers or tiktoken cannot be imported: skipped (77), or failed if
CHORUS_REQUIRE_ALL=1. scripts/python-packages.sh installs them. Nothing is fetched: HF_HUB_OFFLINE is set."""

import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
try:
    import tiktoken
    import tokenizers
    import transformers
except ImportError as error:
    required = os.environ.get("CHORUS_REQUIRE_ALL") == "1"
    print(f"{'FAILED' if required else 'skipped'}: {sys.executable} cannot import transformers, tokenizers and "
          f"tiktoken (scripts/python-packages.sh installs them): {error}")
    sys.exit(1 if required else 77)
