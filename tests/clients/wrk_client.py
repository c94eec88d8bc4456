"""The talk's load test for a moment: wrk_client.py PROGRAM FOLDER. No errors, and every answer to
one seed is the same, under load and alone."""

import shutil
import sys

from load import run_wrk
from serving import Server, skip

TARGET = "/generate/The%20quick%20brown%20fox?max_length=20&seed=42"


def main(program, _folder):
    if shutil.which("wrk") is None:
        skip("no wrk")
    with Server(program) as server:
        base = f"http://127.0.0.1:{server.port}"
        alone = server.get(TARGET)[1]
        result = run_wrk(base + TARGET, 4)
        print(result["output"])
        assert result["errors"] == 0 and result["different"] == 0, result
        assert f"bytes={len(alone)}\n" in result["output"]
        assert server.get(TARGET)[1] == alone
        plain = run_wrk(base + "/plaintext", 1)
        print(plain["output"])
        assert plain["errors"] == 0 and plain["different"] == 0, plain


main(*sys.argv[1:])
