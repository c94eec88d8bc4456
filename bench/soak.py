"""Mixed load on one server for ten minutes, from a fixed seed.

    python3 bench/soak.py build/release/src/chorus [--seconds 600] [--attacks KINDS] [options of chorus serve]

Every text is first asked for alone, which fills a table of known answers; under load each must be
the same. Clients that read, that read slowly, that ask wrongly, that come in bursts too large for
the queue, and that vanish work side by side, each from an address of its own. After a third of the time
attackers of every kind (bench/attackers.py) join them, from other addresses. Prints a line every 10 s on standard error and JSON
at the end; the exit status is 1 if a check failed.
"""

import argparse
import asyncio
import collections
import http.client
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "clients"))

import attackers  # noqa: E402
import soak_requests  # noqa: E402
from serving import Server  # noqa: E402
from soak_requests import ask, connect  # noqa: E402
from vanishing_clients import Storm  # noqa: E402
from watching import (KV_MEMORY, allow_descriptors, drain, fill_prefix_cache,  # noqa: E402
                      is_quiet, metrics, process_state, settle, with_defaults)

MAX_QUEUE = 64
READERS, SLOW_READERS, VANISHING, BURST = 10, 2, 8, 24
SAMPLE_SECONDS, BURST_SECONDS = 10, 10
MOST_GROWTH = 0.05  # of the resident size, after the first minute
MAX_BUFFER_TOTAL = 64 << 20  # bytes
MOST_SLOWER = 2.0  # the 99th percentile of the gaps in streams, with attackers to without
EXAMPLES_OF_A_KIND = 3  # of what went wrong


class Record:
    """What all clients saw."""

    def __init__(self):
        self.lock = threading.Lock()
        self.statuses, self.names = collections.Counter(), collections.Counter()
        self.counts = collections.Counter()
        self.examples = []
        self.first, self.whole = [], []  # seconds, since the last sample
        self.gaps = []  # seconds, in streams of clients that read at once
        self.known = {}

    def failed(self, kind, asked, what):
        with self.lock:
            self.counts[kind] += 1
            if sum(one[:2] == [kind, asked.name] for one in self.examples) < EXAMPLES_OF_A_KIND:
                self.examples.append([kind, asked.name, str(what)[:1000]])

    def answered(self, asked, stream, answer, is_slow=False):
        with self.lock:
            if stream and answer.status == 200 and not is_slow:
                self.gaps += answer.gaps
            self.statuses[answer.status] += 1
            self.names[asked.name] += 1
            if answer.status == 200 and asked.path != "/plaintext":
                self.whole.append(answer.seconds)
                if stream:
                    self.first.append(answer.first_seconds)
        if answer.status == 429 and asked.status != 429:
            return  # the queue was full
        if answer.status != asked.status:
            return self.failed("unexpected statuses", asked, [answer.status, answer.value])
        with self.lock:
            expected = self.known.setdefault(asked, answer.value)
        if expected != answer.value:
            self.failed("differing answers", asked, {"expected": expected, "found": answer.value})

    def take_gaps(self):
        with self.lock:
            gaps, self.gaps = self.gaps, []
        return gaps

    def take_times(self):
        with self.lock:
            times = self.first, self.whole
            self.first, self.whole = [], []
        return times


class Client:
    """Asks for one thing after the other, on a connection that lasts for some of them."""

    def __init__(self, server, record, pause=0.0, receive_buffer=0, address="127.0.0.1"):
        self.server, self.record, self.address = server, record, address
        self.pause, self.receive_buffer = pause, receive_buffer
        self.connection = None

    def ask(self, asked, stream):
        try:
            if self.connection is None:
                self.connection = connect(self.server.port, self.receive_buffer, self.address)
            answer = ask(self.connection, asked, stream, self.pause)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.record.failed("lost connections", asked, repr(error))
            self.close()
            return None
        self.record.answered(asked, stream, answer, self.pause > 0)
        if answer.status > 299:
            self.close()  # some of them end the connection, and say so
        return answer

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None


def read(server, record, ended, choose, requests, pause_between=0.0, **options):
    client = Client(server, record, **options)
    while not ended.is_set():
        asked = choose.choice(requests)
        answer = client.ask(asked, asked.can_stream and choose.random() < 0.5)
        if choose.random() < 0.2:
            client.close()
        if answer is not None and answer.status == 429 and asked.status != 429:
            ended.wait(choose.random())
        if pause_between > 0:
            ended.wait(pause_between)
    client.close()


def burst(server, record, ended, choose, requests, address):
    def one(asked, stream):
        client = Client(server, record, address=address)
        client.ask(asked, stream)
        client.close()

    while not ended.wait(BURST_SECONDS):
        threads = [threading.Thread(target=one, args=(choose.choice(requests),
                                                      choose.random() < 0.5))
                   for _ in range(BURST)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def fill_table(server, record, requests):
    """Alone; the second time, where it can, as a stream and from the prefix cache."""
    client = Client(server, record)
    for asked in requests:
        client.ask(asked, False)
        client.ask(asked, asked.can_stream)
    client.close()
    record.take_times()


def start_clients(server, record, ended, seed):
    texts = soak_requests.texts(seed)
    slow, large = soak_requests.slow_texts(seed), soak_requests.overflowing(seed)
    wrong = soak_requests.wrong(MAX_QUEUE)
    fill_table(server, record, texts + slow + large + wrong + [soak_requests.last_text(seed)])
    storm = Storm(server.port, seed)

    addresses = (f"127.1.0.{number}" for number in itertools.count(1))

    def start(name, target, *arguments, **options):
        choose = random.Random(f"{seed} {name}")
        options["address"] = next(addresses)
        thread = threading.Thread(target=target, args=(server, record, ended, choose, *arguments),
                                  kwargs=options, name=name)
        thread.start()
        return thread

    threads = [start(f"reader {number}", read, texts) for number in range(READERS)]
    threads += [start(f"slow {number}", read, slow, pause=0.02, receive_buffer=4096)
                for number in range(SLOW_READERS)]
    threads.append(start("wrong", read, wrong, pause_between=0.2))
    threads.append(start("burst", burst, large))
    vanishing = threading.Thread(
        target=lambda: asyncio.run(storm.run(VANISHING, lambda: not ended.is_set())))
    vanishing.start()
    return threads + [vanishing], storm


def percentiles(times):
    if not times:
        return None
    times = sorted(times)
    return {"p50": round(times[len(times) // 2], 4), "p99": round(times[len(times) * 99 // 100], 4)}


class Samples:
    """The server's state every now and then."""

    def __init__(self, server, record):
        self.server, self.record = server, record
        self.all = []
        self.begun = self.last = time.monotonic()
        self.tokens, self.requests = self._tokens(metrics(server)), sum(record.statuses.values())

    def _tokens(self, now):
        return now["chorus_prompt_tokens_total"], now["chorus_generation_tokens_total"]

    def take(self):
        now, time_now = metrics(self.server, timeout=60), time.monotonic()
        seconds = time_now - self.last
        tokens, requests = self._tokens(now), sum(self.record.statuses.values())
        first, whole = self.record.take_times()
        sample = {"seconds": round(time_now - self.begun, 1)} | process_state(self.server) | {
            "requests_per_second": round((requests - self.requests) / seconds, 1),
            "prompt_tokens_per_second": round((tokens[0] - self.tokens[0]) / seconds, 1),
            "generated_tokens_per_second": round((tokens[1] - self.tokens[1]) / seconds, 1),
            "first_token_seconds": percentiles(first), "whole_seconds": percentiles(whole),
            "running": now["chorus_num_requests_running"],
            "waiting": now["chorus_num_requests_waiting"],
            "kv_usage": round(now["chorus_kv_cache_usage_perc"], 3)}
        self.last, self.tokens, self.requests = time_now, tokens, requests
        self.all.append(sample)
        print(json.dumps(sample), file=sys.stderr, flush=True)

    def resident(self, begun):
        """From a minute after then on (of a short soak, from the half of the rest on). What clients are
        held changes from sample to sample by a tenth, so growth is that of the line through all of them."""
        from_then = begun + min(60, (self.all[-1]["seconds"] - begun) / 2)
        later = [sample for sample in self.all if sample["seconds"] >= from_then]
        times = [sample["seconds"] / 60 for sample in later]
        sizes = [sample["rss_kib"] for sample in later]
        time_mean, size_mean = sum(times) / len(times), sum(sizes) / len(sizes)
        squares = sum((moment - time_mean) ** 2 for moment in times)
        slope = sum((moment - time_mean) * (size - size_mean)
                    for moment, size in zip(times, sizes)) / squares if squares > 0 else 0.0
        return {"start_kib": self.all[0]["rss_kib"], "from_seconds": later[0]["seconds"],
                "then_kib": sizes[0], "end_kib": sizes[-1],
                "most_kib": max(sample["rss_kib"] for sample in self.all),
                "growth_percent": round(100 * slope * (times[-1] - times[0]) / size_mean, 2),
                "drift_kib_per_minute": round(slope, 1)}


def check_drain(server, record):
    """Texts that are being read when SIGTERM comes arrive whole."""
    last = next(asked for asked in record.known if asked.name == "last")
    threads = [threading.Thread(target=Client(server, record).ask, args=(last, True))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while metrics(server)["chorus_num_requests_running"] < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    status = drain(server)
    for thread in threads:
        thread.join()
    return status == 0


def take_until(samples, seconds):
    while samples.last < samples.begun + seconds:
        time.sleep(max(0, min(SAMPLE_SECONDS, samples.begun + seconds - samples.last) -
                          (time.monotonic() - samples.last)))
        samples.take()


def start_attackers(server, kinds, seconds):
    return subprocess.Popen([sys.executable, os.path.join(HERE, "attackers.py"), str(server.port),
                             "--kinds", ",".join(kinds), "--seconds", str(seconds)],
                            stdout=subprocess.PIPE, text=True)


def soak(server, arguments):
    record, ended = Record(), threading.Event()
    fill_prefix_cache(server)
    quiet_before, _ = settle(server, 30)
    threads, storm = start_clients(server, record, ended, arguments.seed)
    samples = Samples(server, record)
    samples.take()
    record.take_gaps()
    take_until(samples, arguments.seconds / 3)
    calm, calm_statuses = record.take_gaps(), collections.Counter(record.statuses)
    attacked_from = samples.last - samples.begun
    attacking = start_attackers(server, arguments.attacks, arguments.seconds - attacked_from)
    take_until(samples, arguments.seconds)
    attacks = json.loads(attacking.communicate(timeout=60)[0])
    gaps = {"calm": percentiles(calm), "attacked": percentiles(record.take_gaps())}
    ended.set()
    for thread in threads:
        thread.join()
    quiet_after, seconds = settle(server, 60, quiet_before["descriptors"])
    resident = samples.resident(attacked_from)
    most = quiet_before["rss_kib"] + (MAX_BUFFER_TOTAL >> 10) + (64 << 10)
    result = {"statuses": dict(sorted(record.statuses.items())),
              "statuses_of_calm": dict(sorted(calm_statuses.items())), "gaps": gaps,
              "attacks": attacks, "asked": dict(record.names),
              "known_answers": len(record.known), "vanishing": storm.summary(),
              "resident": resident, "samples": samples.all, "before": quiet_before,
              "after": quiet_after, "settled_seconds": round(seconds, 2)}
    checks = {
        "nothing left": is_quiet(quiet_after),
        "no descriptor left": quiet_after["descriptors"] <= quiet_before["descriptors"],
        "no thread more": quiet_after["threads"] == quiet_before["threads"],
        "resident size": resident["growth_percent"] <= 100 * MOST_GROWTH,
        "resident size within its budgets": resident["most_kib"] <= most,
        "gaps of others under attack":
            gaps["attacked"]["p99"] <= MOST_SLOWER * gaps["calm"]["p99"],
        "the queue overflowed": record.statuses[429] > 0,
        "no vanishing client saw a failure": not storm.failures,
        "ends with 0": check_drain(server, record),
    }
    for kind in ("differing answers", "lost connections", "unexpected statuses"):
        result[kind.replace(" ", "_")] = record.counts[kind]
        checks["no " + kind] = record.counts[kind] == 0
    return result | {"examples": record.examples, "log": server.read_log().splitlines()[1:21],
                     "checks": checks, "passed": all(checks.values())}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--attacks", type=attackers.kinds_of, default=list(attackers.KINDS),
                        help="kinds of bench/attackers.py, with commas; '' for none (default: all)")
    arguments, others = parser.parse_known_args()
    allow_descriptors(4000)
    options = with_defaults(others, threads=os.cpu_count(), kv_memory=KV_MEMORY,
                            log_level="error") + ["--max-queue", str(MAX_QUEUE),
                                             "--max-buffer-total", str(MAX_BUFFER_TOTAL)]
    with Server(arguments.program, *options) as server:
        result = soak(server, arguments)
    print(json.dumps(result, indent=1))
    sys.exit(0 if result["passed"] else 1)


main()
