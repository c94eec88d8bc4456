"""Ends the test where PyTorch cannot be imported: skipped (77), or failed if CHORUS_REQUIRE_ALL=1."""

import os
import sys

try:
    import torch
except ImportError as error:
    required = os.environ.get("CHORUS_REQUIRE_ALL") == "1"
    print(f"{'FAILED' if required else 'skipped'}: {sys.executable} cannot import PyTorch: {error}")
    sys.exit(1 if required else 77)

torch.set_num_threads(1)
