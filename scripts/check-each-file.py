#!/usr/bin/env python3
"""Whether each of the product's files and headers compiles for itself: nothing it uses comes by chance from a file before it.

usage: check-each-file.py BUILD

BUILD is a build folder of the preset `debug` (each file for itself, and a file for each header that has no .cpp of its
name). The compiler only reads and checks what it would compile (-fsyntax-only): code is generated, linked and run in
the other presets, which compile several files as one and so cannot see a missing include.
"""

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor


def check(entry):
    """The compiler's complaint about one file, or ''."""
    command = shlex.split(entry["command"])
    output = command.index("-o")
    del command[output:output + 2]
    result = subprocess.run([*command, "-fsyntax-only"], cwd=entry["directory"], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    return result.stdout or f"exit status {result.returncode}" if result.returncode else ""


def main():
    with open(os.path.join(sys.argv[1], "compile_commands.json")) as file:
        entries = [entry for entry in json.load(file) if entry["file"].endswith(".cpp")]
    if not entries:
        sys.exit(f"{sys.argv[1]}/compile_commands.json names no file: is it a build folder of the preset debug?")
    failed = 0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for entry, complaint in zip(entries, pool.map(check, entries)):
            if complaint:
                failed += 1
                print(f"{entry['file']} does not compile for itself:\n{complaint}", flush=True)
    print(f"{len(entries)} files compiled each for itself, {failed} of them wrong")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
