"""Clients that vanish at random points, many at a time, and whether anything is left of them.

    python3 tests/clients/vanishing.py PROGRAM [--clients 1000] [--seconds 60] [serve's options]

A first storm of the same kind brings the server's memory to its size; the state after it and the
one after the measured storm must agree: nothing runs or waits, no page of keys and values is held
or promised, no descriptor is left, and the resident size has not grown. Beside the storm a client that
stays asks for one text again and again. Prints JSON; the exit status is 1 if a check failed.
"""

import argparse
import asyncio
import collections
import http.client
import json
import sys
import threading
import time

from serving import Server
from vanishing_clients import Storm
from watching import (KV_MEMORY, allow_descriptors, counts, drain, fill_prefix_cache, is_quiet,
                      metrics, settle, with_defaults)

TARGET = "/generate/Once%20upon%20a%20time?max_length=60&seed=42"
SETTLES_WITHIN = 60  # seconds


class Witness:
    """A client that stays: asks for one text until it is told to stop."""

    def __init__(self, server, expected):
        self.server, self.expected = server, expected
        self.counts, self.longest = collections.Counter(), 0.0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        # Who is turned away comes again, also when the storm is over.
        while not self.stopped.wait(0.2) or not self.counts["same"] and set(self.counts) <= {"same", "429"}:
            begun = time.monotonic()
            try:
                self.counts[self._ask()] += 1
            except (OSError, http.client.HTTPException) as error:
                self.counts[f"lost: {error!r}"] += 1
            self.longest = max(self.longest, time.monotonic() - begun)

    def _ask(self):
        if self.server.get("/health")[0] != 200:
            return "unhealthy"
        status, body = self.server.get(TARGET, timeout=120)
        if status == 429:  # as it should be, when so many wait
            return "429"
        return "same" if (status, body) == (200, self.expected) else f"different, status {status}"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.stopped.set()
        self.thread.join()


def most_seen(server):
    """(running, waiting) while many samples wait: over steps enough for all of them to arrive."""
    running, waiting, steps = 0, 0, None
    begun = time.monotonic()
    while time.monotonic() - begun < 30:
        now = metrics(server)
        running = max(running, now["chorus_num_requests_running"])
        waiting = max(waiting, now["chorus_num_requests_waiting"])
        if steps is None and running > 0:
            steps = now["chorus_engine_steps_total"]
        if (steps is not None and now["chorus_engine_steps_total"] >= steps + 20 and
                time.monotonic() - begun > 1):
            break
        time.sleep(0.01)
    return running, waiting


def most_at_once(server):
    """How many samples of one size the pages for keys and values have room for, as far as is seen: between two
    looks a busy machine may have been through many. None: the pages are not what limits."""
    for tokens in (100, 1000):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("POST", "/v1/completions", json.dumps({
            "prompt": [[number] for number in range(1000, 1300)], "max_tokens": tokens,
            "ignore_eos": True}))
        running, waiting = most_seen(server)
        connection.close()
        settle(server, SETTLES_WITHIN)
        if waiting > 0 and running < 256:
            return {"tokens": tokens, "samples": running}
    return None


def has_room(result):
    """Whether there is as much room afterwards as before."""
    before, after = result["at_once_before"], result["at_once_after"]
    if before is None or after is None or before["tokens"] != after["tokens"]:
        return before == after
    return after["samples"] >= before["samples"]


def server_counts(server):
    """What the server did: requests by status (499: the client went away), samples by their end."""
    samples = counts(server, "chorus_request_success_total", "finished_reason")
    now = metrics(server)
    return counts(server, "chorus_http_requests_total", "status") | {
        "samples " + reason: count for reason, count in samples.items()} | {
        name: now[f"chorus_{name}_total"] for name in ("prompt_tokens", "generation_tokens")}


def storm(server, seed, clients, seconds):
    result = Storm(server.port, seed)
    deadline = time.monotonic() + seconds
    asyncio.run(result.run(clients, lambda: time.monotonic() < deadline))
    return result


def measure(server, arguments):
    text = server.get(TARGET)
    assert text[0] == 200, text
    fill_prefix_cache(server)
    result = {"at_once_before": most_at_once(server)}
    first = storm(server, "first", arguments.clients, arguments.warm_up)
    result["warm_up"] = first.summary()
    before, _ = settle(server, SETTLES_WITHIN)
    counted = server_counts(server)
    with Witness(server, text[1]) as witness:
        measured = storm(server, "measured", arguments.clients, arguments.seconds)
    after, seconds = settle(server, SETTLES_WITHIN, before["descriptors"])
    # What is kept for later may grow for a while, with what happens to be there at once; what is lost grows each time.
    growths, threads = [], before["threads"]
    while True:
        growths.append(after["rss_kib"] / before["rss_kib"] - 1)
        has_grown = growths[-1] > arguments.most_growth / 100 or after["threads"] != threads
        if not has_grown or len(growths) == 6:
            break
        before, threads = after, after["threads"]
        storm(server, f"again {len(growths)}", arguments.clients, arguments.seconds)
        after, seconds = settle(server, SETTLES_WITHIN, before["descriptors"])
    # A promise that outlived its sample would make it fewer, whenever one looks.
    for _ in range(6):
        result["at_once_after"] = most_at_once(server)
        if has_room(result):
            break
    result |= {
        "storm": measured.summary(), "witness": dict(witness.counts),
        "witness_longest_seconds": round(witness.longest, 2),
        "by_the_server": {key: count - counted.get(key, 0)
                          for key, count in server_counts(server).items()
                          if count != counted.get(key, 0)},
        "before": before, "after": after, "settled_seconds": round(seconds, 2),
        "rss_growth_percent": [round(100 * growth, 2) for growth in growths]}
    result["checks"] = {
        "quiet before": is_quiet(before), "quiet after": is_quiet(after),
        "no descriptor left": after["descriptors"] <= before["descriptors"],
        "no thread more": after["threads"] == threads,
        "resident size": growths[-1] <= arguments.most_growth / 100,
        "room for keys and values": has_room(result),
        "no client saw a failure": not first.failures and not measured.failures,
        "nobody was turned away": not measured.statuses["503"],
        "the client that stayed": witness.counts["same"] > 0 and
                                  set(witness.counts) <= {"same", "429"},
        "healthy": server.get("/health")[0] == 200, "same text": server.get(TARGET) == text,
    }
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--clients", type=int, default=1000, help="at a time")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--warm-up", type=float, default=15, metavar="SECONDS")
    parser.add_argument("--most-growth", type=float, default=5, metavar="PERCENT",
                        help="of the resident size")
    arguments, others = parser.parse_known_args()
    allow_descriptors(2 * arguments.clients + 200)
    # Twice the clients: the server may learn of a new one before it is done with one that left.
    options = with_defaults(others, kv_memory=KV_MEMORY, log_level="error",
                            max_connections=4 * arguments.clients + 100)
    with Server(arguments.program, *options) as server:
        result = measure(server, arguments)
        result["checks"]["ends with 0"] = drain(server) == 0
        result["log"] = server.read_log().splitlines()[1:21]
    result["passed"] = all(result["checks"].values())
    print(json.dumps(result, indent=1))
    sys.exit(0 if result["passed"] else 1)


main()
