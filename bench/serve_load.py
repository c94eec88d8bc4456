"""The talk's load test: wrk with 14 connections on one prompt and seed, and on /plaintext.

    python3 bench/serve_load.py build/release/src/chorus [--seconds 30] [options of chorus serve]

Prints JSON: requests/s, latencies, errors, whether every answer was the same as the one given alone,
and how much processor time the server took beside wrk.
"""

import argparse
import json
import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "clients"))

from load import run_wrk  # noqa: E402
from serving import Server  # noqa: E402

TARGET = "/generate/The%20quick%20brown%20fox?max_length=20&seed=42"


def server_seconds(server):
    with open(f"/proc/{server.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wrk_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(server, target, seconds):
    before = server_seconds(server), wrk_seconds()
    result = run_wrk(f"http://127.0.0.1:{server.port}{target}", seconds)
    del result["output"]
    result["server_cpu_seconds"] = round(server_seconds(server) - before[0], 2)
    result["wrk_cpu_seconds"] = round(wrk_seconds() - before[1], 2)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--seconds", type=int, default=30)
    arguments, others = parser.parse_known_args()
    options = ["--threads", str(os.cpu_count()), "--log-level", "error", *others]
    with Server(arguments.program, *options) as server:
        alone = server.get(TARGET)[1]
        result = {"generate": measure(server, TARGET, arguments.seconds)}
        result["generate"]["same_text_alone_and_after"] = server.get(TARGET)[1] == alone
        result["plaintext"] = measure(server, "/plaintext", min(arguments.seconds, 10))
    print(json.dumps(result, indent=1))


main()
