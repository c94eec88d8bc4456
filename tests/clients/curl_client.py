"""curl and a harness's requests against `chorus serve`: curl_client.py PROGRAM FOLDER."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time

from serving import Server, skip


def curl(*arguments):
    result = subprocess.run(["curl", "-sS", "--max-time", "30", *arguments], capture_output=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def check_generate(server):
    base = f"http://127.0.0.1:{server.port}"
    target = base + "/generate/The%20quick%20brown%20fox?max_length=20&seed=42"
    text = curl("-N", target)
    assert text.startswith(b"The quick brown fox"), text
    assert curl("--http1.0", target) == text
    assert curl("--compressed", target) == text
    head = curl("-I", target).decode()
    assert "X-Seed: 42" in head and "200 OK" in head, head
    events = curl("-N", base + "/v1/completions", "-d",
                  json.dumps({"prompt": "Once", "max_tokens": 5, "stream": True})).decode()
    assert events.endswith("data: [DONE]\n\n"), events
    # A body over 1 MiB, for which curl waits for 100 Continue.
    with open("body", "wb") as file:
        file.write(b"x" * 1100000)
    refused = curl("-o", "/dev/null", "-w", "%{http_code}", base + "/tokenize",
                   "--data-binary", "@body")
    assert refused == b"413", refused


def check_manners(server):
    """What people and pages send that is not quite what the documentation says."""
    base = f"http://127.0.0.1:{server.port}"
    page = "/gpt2/generate/Once?max_length={}&seed={}&device={}&model=gpt2"
    filled = curl("-D", "head", base + page.format(20, 42, "cuda:1"))
    with open("head", encoding="latin-1") as file:
        head = file.read()
    assert "X-Model-Device: cpu" in head and "X-Model-Requested: gpt2" in head, head
    assert curl(base + "/generate?prompt=Once&max_length=20&seed=42") == filled
    assert curl(base + page.format("", "", "")).startswith(b"Once")
    status = ("-o", "/dev/null", "-w", "%{http_code}")
    assert curl(*status, base + "/generate/Once?max_tokens=5") == b"400"
    assert curl(*status, base + "//plaintext/") == b"200"
    hint = json.loads(curl(base + "/api/v1/completions", "-d", "{}"))["error"]
    assert "POST /v1/completions" in hint["message"] and hint["code"] == "not_found", hint
    with open("body.gz", "wb") as file:
        file.write(gzip.compress(json.dumps({"content": "Hello, world"}).encode()))
    counted = curl("-H", "Content-Encoding: gzip", "--data-binary", "@body.gz", base + "/tokenize")
    assert json.loads(counted)["count"] == 3, counted
    assert curl(*status, "-H", "Content-Encoding: br", "--data-binary", "@body.gz",
                base + "/tokenize") == b"415"
    events = curl("-D", "head", base + "/v1/completions", "-d", json.dumps(
        {"prompt": "a\u2028b\x85", "max_tokens": 1, "echo": True, "stream": True}))
    with open("head", encoding="latin-1") as file:
        assert "text/event-stream; charset=utf-8" in file.read()
    assert b"\\u2028" in events and "\u2028".encode() not in events, events


def check_keys(program):
    with open("keys", "w", encoding="ascii") as file:
        file.write("secret\n")
    with Server(program, "--api-key-file", "keys", "--host", "localhost") as server:
        models = f"http://localhost:{server.port}/v1/models"
        status = ("-o", "/dev/null", "-w", "%{http_code}")
        assert curl(*status, models) == b"401"
        assert curl(*status, "-H", "X-Api-Key: other", models) == b"401"
        assert curl(*status, "-4", "-H", "X-Api-Key: secret", models) == b"200"
        if os.path.exists("/proc/net/if_inet6"):
            assert curl(*status, "-g", "-H", "Authorization: Bearer secret",
                        models.replace("localhost", "[::1]")) == b"200"


def check_harness(server):
    """As lm-evaluation-harness asks (models/openai_completions.py) and reads the answers."""
    context, whole = [464, 3797], [464, 3797, 3332, 319]
    status, answer = server.post("/v1/completions", {
        "model": "storyteller", "prompt": [whole, [15496, 11, 995]], "temperature": 0,
        "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True})
    assert status == 200, answer
    choice = answer["choices"][0]
    logprobs = choice["logprobs"]
    assert len(logprobs["token_logprobs"]) == len(whole) + 1
    continuation = logprobs["token_logprobs"][len(context):-1]
    assert len(continuation) == 2 and all(value < 0 for value in continuation)
    for token, top in zip(continuation, logprobs["top_logprobs"][len(context):-1]):
        assert token in top.values()
    # The older way: by the offsets of the context's text.
    first = next(i for i, offset in enumerate(logprobs["text_offset"])
                 if offset >= len("The cat"))
    assert first == len(context), logprobs
    assert answer["choices"][1]["index"] == 1


def check_end(server):
    """SIGTERM lets what runs finish; the log holds no prompt."""
    reader = subprocess.Popen(
        ["curl", "-sSN", f"http://127.0.0.1:{server.port}/generate/secret?max_length=256&seed=3"],
        stdout=subprocess.PIPE)
    assert reader.stdout.read(6) == b"secret"
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    reader.stdout.read()
    assert reader.wait(10) == 0, "the text broke off"
    assert "secret" not in server.read_log()


def check_ended_streams(program):
    """A closed or full standard error takes nothing down."""
    for place in (None, "/dev/full"):
        error = subprocess.DEVNULL if place is None else open(place, "w", encoding="ascii")
        command = [program, "serve", "--no-tcp", "--unix-socket", "chorus.socket", "--no-pin",
                   "--threads", "1"]
        if place is None:
            command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
        process = subprocess.Popen(command, stderr=error)
        deadline = time.monotonic() + 30
        status = b""
        while status != b"200" and time.monotonic() < deadline:
            status = subprocess.run(
                ["curl", "-s", "--unix-socket", "chorus.socket", "-o", "/dev/null", "-w",
                 "%{http_code}", "http://chorus/generate/a?max_length=5"],
                capture_output=True, check=False).stdout
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert status == b"200", (place, status)
        assert not os.path.exists("chorus.socket")


def main(program, folder):
    if shutil.which("curl") is None:
        skip("no curl")
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    with Server(program) as server:
        check_generate(server)
        check_harness(server)
        check_manners(server)
        check_end(server)
    check_keys(program)
    check_ended_streams(program)


main(*sys.argv[1:])
