"""What the system and /metrics tell of a server that runs, and how it is brought to a state that
can be compared with a later one. Standard library only."""

import os
import random
import re
import resource
import signal
import subprocess
import time

# Most of a server's memory would otherwise be a share of what is free, and fill for hours.
KV_MEMORY = "256MB"


def allow_descriptors(count):
    """For this process and the servers that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        limit = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        if limit < count:
            raise SystemExit(f"descriptors: {count} are needed, {limit} allowed (ulimit -n)")


def with_defaults(options, **defaults):
    """`options` of the command line; of `defaults`, those that they do not name."""
    result = list(options)
    for name, value in defaults.items():
        option = "--" + name.replace("_", "-")
        if not any(given == option or given.startswith(option + "=") for given in options):
            result += [option, str(value)]
    return result


def metrics(server, timeout=30):
    """The sum over all labels, by name; histograms' sums and counts are names of their own."""
    status, text = server.get("/metrics", timeout)
    assert status == 200, status
    sums = {}
    for name, value in re.findall(r"^(\w+)(?:\{.*\})? (\S+)$", text.decode(), re.MULTILINE):
        sums[name] = sums.get(name, 0.0) + float(value)
    return sums


def counts(server, name, label):
    """Of one counter, by one of its labels."""
    sums = {}
    text = server.get("/metrics")[1].decode()
    for value, count in re.findall(rf'^{name}\{{.*\b{label}="([^"]*)".*\}} (\S+)$', text,
                                   re.MULTILINE):
        sums[value] = sums.get(value, 0.0) + float(count)
    return sums


def process_state(server):
    folder = f"/proc/{server.process.pid}"
    with open(folder + "/status", encoding="ascii") as file:
        status = dict(re.findall(r"^(\w+):\s+(\d+)", file.read(), re.MULTILINE))
    return {"rss_kib": int(status["VmRSS"]), "rss_anon_kib": int(status["RssAnon"]),
            "threads": int(status["Threads"]), "descriptors": len(os.listdir(folder + "/fd"))}


def state(server):
    now = metrics(server)
    return process_state(server) | {
        "running": now["chorus_num_requests_running"],
        "waiting": now["chorus_num_requests_waiting"],
        "kv_usage": now["chorus_kv_cache_usage_perc"],
        "connections": now["chorus_http_connections"] - 1,  # the one that asks
    }


def is_quiet(now):
    return not (now["running"] or now["waiting"] or now["kv_usage"] or now["connections"])


def settle(server, bound, descriptors=0):
    """The state once nothing is done and no more descriptors are open than given and the one that
    asks (0: any), or the last one when `bound` seconds have passed; and how long it took."""
    begun = time.monotonic()
    while True:
        now = state(server)
        seconds = time.monotonic() - begun
        few = descriptors == 0 or now["descriptors"] <= descriptors + 1
        if (is_quiet(now) and few) or seconds > bound:
            time.sleep(0.3)  # until the connection that asked is closed, too
            return now | process_state(server), seconds
        time.sleep(0.05)


def fill_prefix_cache(server, seed=1, bound=120):
    """Texts that nobody asks for again, until the memory for keys and values is all in use: later
    its pages are only passed on."""
    words = random.Random(f"fill {seed}")
    deadline = time.monotonic() + bound
    size = process_state(server)["rss_kib"]
    while time.monotonic() < deadline:
        prompts = [[words.randrange(50000) for _ in range(500)] for _ in range(4)]
        status, answer = server.post("/v1/completions", {"prompt": prompts, "max_tokens": 1}, 120)
        assert status == 200, answer
        before, size = size, process_state(server)["rss_kib"]
        if size - before < before / 200:
            return
    raise RuntimeError("the prefix cache did not fill in time: is --kv-memory bounded?")


def drain(server, bound=60):
    """SIGTERM: the exit status, None if there was none in time."""
    server.process.send_signal(signal.SIGTERM)
    try:
        return server.process.wait(bound)
    except subprocess.TimeoutExpired:
        return None
