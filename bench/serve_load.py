"""The talk's load test: wrk with 14 connections on one prompt and seed, and on /plaintext.

    python3 bench/serve_load.py build/release/src/chorus [--seconds 30] [options of chorus serve]
    python3 bench/serve_load.py build/bench/src/chorus --engine build/bench/bench/bench_requests --model FILE

Prints JSON: requests/s, latencies, errors, whether every answer was the same as the one given alone,
and how much processor time the server took beside wrk. With --engine also what the engine makes of the
same requests without HTTP, in turns with wrk: `of_the_engine` is the median of the rounds' ratios.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
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


def engine_rates(program, model, seconds):
    """Of the same requests without HTTP: {"requests_per_second", "from_callbacks"}."""
    output = subprocess.run([program, model, "--clients", "14", "--seconds", str(seconds)],
                            capture_output=True, text=True, check=True, timeout=2 * seconds + 60)
    return json.loads(output.stdout)


def measure_in_turns(server, program, model, seconds, rounds):
    """Every other round begins with the engine: what a machine gains or loses with time, both do."""
    http, engine = [], []
    for i in range(rounds):
        for turn in (0, 1):
            if (i + turn) % 2 == 0:
                http.append(measure(server, TARGET, seconds))
            else:
                engine.append(engine_rates(program, model, seconds))
    rates = [one["requests_per_second"] for one in http]

    def ratio(key):
        ratios = [rate / one[key] for rate, one in zip(rates, engine)]
        return {"median": round(statistics.median(ratios), 3),
                "rounds": [round(one, 3) for one in ratios]}

    return {"generate": http, "engine": engine, "of_the_engine": ratio("requests_per_second"),
            "of_callbacks": ratio("from_callbacks")}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--engine", help="bench_requests, for the ratio to the engine's own rate")
    parser.add_argument("--rounds", type=int, default=5, help="with --engine")
    parser.add_argument("--model", default="")
    arguments, others = parser.parse_known_args()
    options = ["--threads", str(os.cpu_count()), "--log-level", "error", *others]
    if arguments.model:
        options += ["--model", arguments.model]
    with Server(arguments.program, *options) as server:
        alone = server.get(TARGET)[1]
        run_wrk(f"http://127.0.0.1:{server.port}{TARGET}", 1)  # warms up
        if arguments.engine:
            result = measure_in_turns(server, arguments.engine, arguments.model, arguments.seconds,
                                      arguments.rounds)
        else:
            result = {"generate": measure(server, TARGET, arguments.seconds)}
        result["same_text_alone_and_after"] = server.get(TARGET)[1] == alone
        result["plaintext"] = measure(server, "/plaintext", min(arguments.seconds, 10))
    print(json.dumps(result, indent=1))


main()
