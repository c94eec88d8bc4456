"""Chorus, the machine's limit and other programs side by side, in one run: one command for one table.

usage: side_by_side.py --chorus CHORUS [--llama-cpp FOLDER] [--pytorch PYTHON]
         [--ctranslate2 PYTHON=FOLDER] [--rounds N] [--wait S] [--starts] MODEL.pt

MODEL.pt is a checkpoint of build-nanogpt's form (bench/make_gpt2.py). What is not named is left out:
  --llama-cpp     the folder of llama-bench, llama-batched-bench and llama-server, built natively; its
                  GGUF files are written beside MODEL.pt, once (bench/make_gguf.py, with this Python's
                  PyTorch)
  --pytorch       a Python with PyTorch (bench/gpt2_peer.py runs there)
  --ctranslate2   a Python with ctranslate2, and the folder that its converter made of MODEL.pt

Every round measures each contender once, one after the other, so that a machine that changes its speed
changes it for all. Figures are medians over the rounds, and in brackets the least and the most. What
others took of the processors meanwhile is counted: a measurement of which they took over a tenth is left
out if there are others of it. Streams begin with prompts of 4 tokens (llama.cpp's of 16), and choose with
top-k 50 where the peer samples. Each peer is beside that of our types which holds weights as it does. Linux;
needs wrk for requests/s.
"""

import argparse
import http.client
import itertools
import json
import os
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "clients"))

from load import SAME_TEXT, run_wrk  # noqa: E402
from measuring import Load, count_disturbed, median, spread, wait_for_idle  # noqa: E402
from serving import Server, free_port, wait_until  # noqa: E402

STREAMS = 1, 14, 32
DTYPES = ("f32", "bf16", "int8", "int4")
GGUF = {"f32": "f32", "bf16": "f16", "int8": "q8_0", "int4": "q4_0"}  # llama.cpp's nearest
CONNECTIONS = 14
TARGET = "/generate/The%20quick%20brown%20fox?max_length=20&seed=42"  # the talk's: 16 new tokens
LLAMA_SCRIPT = os.path.join(HERE, "llama_server.lua")

# Names of tests.
READING, SERVING = "a prompt", "requests/s of 14 clients"
START, MEMORY = "start to one token, s", "peak memory, MB"


def streaming(streams):
    return "one stream" if streams == 1 else f"{streams} streams"


def run(*command):
    """Standard output, seconds, and the most kibibytes resident."""
    before = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    errors = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
    reader.start()
    output = process.stdout.read()
    reader.join()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]}: {errors[0].strip()[-300:]}")
    return output, time.perf_counter() - before, usage.ru_maxrss


def start_of(*command):
    _, seconds, kibibytes = run(*command)
    return {START: seconds, MEMORY: kibibytes * 1.024e-3}


def joined(numbers):
    return ",".join(map(str, numbers))


# A contender's works() are in the order of DTYPES, so that those of a type are measured side by side. Each
# returns rates by test.


class Chorus:
    name = "Chorus"

    def __init__(self, options):
        self.options = options
        self.program, self.threads = options.chorus, ("--threads", options.threads)
        self.limits = {}  # (test, dtype) -> shares of the limit

    def works(self):
        for dtype in DTYPES:
            yield dtype, self.bench
        for dtype in DTYPES[:3]:
            yield dtype, self.start
        yield "int8", self.serve

    def model(self, dtype):
        """A file of the type, as it would be served."""
        if dtype == "f32":
            return self.options.model
        path = f"{os.path.splitext(self.options.model)[0]}.{dtype}.safetensors"
        if not os.path.exists(path):
            run(self.program, "convert", self.options.model, path, "--dtype", dtype)
        return path

    def bench(self, dtype):
        rates = self.bench_of(dtype, STREAMS[:1], self.options.prompt_tokens)
        many = self.bench_of(dtype, STREAMS[1:], 16)
        del many[READING]
        return rates | many

    def bench_of(self, dtype, streams, prompt):
        output, *_ = run(self.program, "bench", "--model", self.options.model, "--dtype", dtype,
                         *self.threads, "--streams", joined(streams), "--prompt-tokens", prompt,
                         "--new-tokens", self.options.new_tokens, "--rounds", 1, "--json")
        rates = {}
        for each in json.loads(output)["results"]:
            test = READING if each["test"] == "pp" else streaming(each["streams"])
            rates[test] = each["tokens_per_second"]
            if each["share_of_limit"] is not None and (test != READING or streams == STREAMS[:1]):
                self.limits.setdefault((test, dtype), []).append(each["share_of_limit"])
        return rates

    def start(self, dtype):
        return start_of(self.program, "generate", "--model", self.model(dtype), "--dtype", dtype,
                        *self.threads, "--prompt-ids", "7454,2402", "--max-new-tokens", 1)

    def serve(self, dtype):
        with Server(self.program, "--model", self.model(dtype), "--threads",
                    str(self.options.threads), "--log-level", "error") as server:
            return load(f"http://127.0.0.1:{server.port}{TARGET}", self.options.seconds)


class LlamaCpp:
    name = "llama.cpp"

    def __init__(self, options):
        self.options, self.threads = options, ("-t", options.threads)

    def works(self):
        for dtype in GGUF:
            yield dtype, self.bench
        for dtype in ("f32", "bf16", "int8"):
            yield dtype, self.start
        yield "int8", self.serve

    def program(self, name):
        return os.path.join(self.options.llama_cpp, name)

    def gguf(self, dtype):
        kind = GGUF[dtype]
        path = f"{os.path.splitext(self.options.model)[0]}.{kind}.gguf"
        if not os.path.exists(path):
            run(sys.executable, os.path.join(HERE, "make_gguf.py"), self.options.model,
                path + ".part", "--type", kind)
            os.rename(path + ".part", path)
        return path

    def llama_bench(self, dtype, *options):
        return (self.program("llama-bench"), "-m", self.gguf(dtype), *self.threads, "-r", 1,
                "-o", "json", *options)

    def bench(self, dtype):
        rates, new = {}, self.options.new_tokens
        output, *_ = run(*self.llama_bench(dtype, "-p", self.options.prompt_tokens, "-n", new))
        for each in json.loads(output):
            rates[READING if each["n_prompt"] > 0 else streaming(1)] = each["avg_ts"]
        output, *_ = run(self.program("llama-batched-bench"), "-m", self.gguf(dtype), *self.threads,
                         "-c", max(STREAMS) * (16 + new), "-npp", 16, "-ntg", new,
                         "-npl", joined(STREAMS[1:]), "--output-format", "jsonl")
        for line in output.splitlines():
            if line.startswith("{"):
                each = json.loads(line)
                rates[streaming(each["pl"])] = each["speed_tg"]
        return rates

    def start(self, dtype):
        return start_of(*self.llama_bench(dtype, "-p", 0, "-n", 1, "--no-warmup"))

    def serve(self, dtype):
        port = free_port()
        command = [self.program("llama-server"), "-m", self.gguf(dtype), *self.threads, "--port", port,
                   "-np", CONNECTIONS, "-c", CONNECTIONS * 64, "--no-webui"]
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            wait_until("llama-server did not start", lambda: is_healthy(port), 60)
            return load(f"http://127.0.0.1:{port}/completion", self.options.seconds, LLAMA_SCRIPT)
        finally:
            process.terminate()
            process.wait(30)


class PythonPeer:
    def __init__(self, peer, python, model, dtypes, options):
        self.name = self.peer = peer
        self.python, self.model = python, model
        self.dtypes, self.options = dtypes, options

    def works(self):
        for dtype in self.dtypes:
            yield dtype, self.bench

    def bench(self, dtype):
        output, *_ = run(self.python, os.path.join(HERE, "python_peers.py"), self.peer, self.model,
                         "--dtype", dtype, "--threads", self.options.threads,
                         "--streams", joined(STREAMS), "--prompt-tokens", self.options.prompt_tokens,
                         "--new-tokens", self.options.new_tokens)
        result = json.loads(output)
        self.name = f"{self.peer} {result['version']}"
        return {READING: result["pp"]} | {streaming(int(n)): rate for n, rate in result["tg"].items()}


def is_healthy(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False


def load(url, seconds, script=SAME_TEXT):
    run_wrk(url, 1, CONNECTIONS, script=script)  # to warm up
    result = run_wrk(url, seconds, CONNECTIONS, script=script)
    if result["errors"] > 0:
        raise RuntimeError(f"{result['errors']} errors of requests")
    return {SERVING: result["requests_per_second"]}


def measure(contenders, options):
    """({(contender, test, dtype): [(value, share that others took)]}, what was left out)."""
    measured, refused = {}, {}
    for number in range(options.rounds):
        works = [[(each, dtype, work) for dtype, work in each.works()
                  if not options.starts or work == getattr(each, "start", None)]
                 for each in contenders]
        for turn in itertools.chain.from_iterable(itertools.zip_longest(*works)):
            if turn is None or turn in refused:
                continue
            contender, dtype, work = turn
            wait_for_idle(options.wait)
            try:
                with Load() as others:
                    values = work(dtype)
            except (RuntimeError, AssertionError, subprocess.SubprocessError) as error:
                refused[turn] = f"{contender.name}, {dtype}: {error}"
                continue
            for test, value in values.items():
                measured.setdefault((contender, test, dtype), []).append((value, others.others))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    return measured, list(refused.values())


def print_table(contenders, measured):
    """A row for each test and type; the ratio is to the best peer's, over 1 where Chorus is ahead."""
    chorus, *peers = contenders
    print(f"| test | weights | Chorus | of the limit | {' | '.join(each.name for each in peers)} "
          "| to the best |")
    print("|---|---|---|---|" + "---|" * (len(peers) + 1))
    rows = {key[1:] for key in measured}
    for test, dtype in sorted(rows, key=lambda row: (TESTS.index(row[0]), DTYPES.index(row[1]))):
        own = measured.get((chorus, test, dtype))
        theirs = [measured.get((peer, test, dtype)) for peer in peers]
        known = [median(values) for values in theirs if values]
        shares = chorus.limits.get((test, dtype))
        ratio = "-"
        if own and known:
            is_less_better = test in (START, MEMORY)
            ratio = min(known) / median(own) if is_less_better else median(own) / max(known)
            ratio = f"{ratio:.2f}"
        cells = [test, dtype, spread(own) if own else "-",
                 f"{statistics.median(shares):.0%}" if shares else "-",
                 *(spread(values) if values else "-" for values in theirs), ratio]
        print(f"| {' | '.join(cells)} |")


TESTS = [*map(streaming, STREAMS), READING, SERVING, START, MEMORY]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chorus", required=True)
    parser.add_argument("--llama-cpp", metavar="FOLDER")
    parser.add_argument("--pytorch", metavar="PYTHON")
    parser.add_argument("--ctranslate2", metavar="PYTHON=FOLDER")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompt-tokens", type=int, default=512,
                        help="of the prompt that is read (default: 512)")
    parser.add_argument("--new-tokens", type=int, default=64, help="of each stream (default: 64)")
    parser.add_argument("--seconds", type=int, default=8, help="of requests to a server (default: 8)")
    parser.add_argument("--wait", type=float, default=0.0, metavar="S",
                        help="before each measurement for others to be idle, at most (default: 0)")
    parser.add_argument("--starts", action="store_true", help="measure starts and nothing else")
    parser.add_argument("model", metavar="MODEL.pt")
    return parser.parse_args()


def main():
    options = parse_arguments()
    contenders = [Chorus(options)]
    if options.llama_cpp:
        contenders.append(LlamaCpp(options))
    if options.pytorch:
        contenders.append(PythonPeer("pytorch", options.pytorch, options.model, DTYPES[:2], options))
    if options.ctranslate2:
        python, _, folder = options.ctranslate2.partition("=")
        contenders.append(PythonPeer("ctranslate2", python, folder, DTYPES[:3], options))
    measured, refused = measure(contenders, options)
    print_table(contenders, measured)
    everything = [value for values in measured.values() for value in values]
    print(f"\nTokens/s where nothing else is said, of a prompt of {options.prompt_tokens} and of streams of "
          f"{options.new_tokens}. {options.threads} threads, {options.rounds} rounds; others disturbed "
          f"{count_disturbed(everything)} of {len(everything)} figures (took over a tenth of the "
          "processors).")
    for error in refused:
        print(f"Left out: {error}")


main()
