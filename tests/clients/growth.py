"""Sixteen times as much of anything that a client may send costs about sixteen times the time: the server's own
processor time for n and 16n of each list, text and piece, up to the limits. What is quadratic takes 256
times as much. (n and 4n would tell less: what no longer fits the caches, or wakes a client that waits, makes
9 of 4.)

usage: growth.py CHORUS
"""

import gzip
import json
import os
import socket
import sys

from serving import Server

MOST = 64  # times as much for 16n
LEAST = 0.002  # seconds for 16n under which nothing can be told
TRIES = 12


def head(method, path, length=None, more=""):
    size = "" if length is None else f"Content-Length: {length}\r\n"
    return (f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{size}{more}"
            "Connection: close\r\n\r\n").encode()


def post(path, body, more=""):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head("POST", path, len(data), more) + data


def completion(n=1, **fields):
    return post("/v1/completions", {"prompt": "Once", "max_tokens": 8, "seed": 1, "temperature": 0} | fields)


def pipelined(n):
    one = b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n"
    return one * (n - 1) + head("GET", "/plaintext")


def chunked(n):
    return (b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            + b'f\r\n{"content":"abc\r\n' + b"1\r\nd\r\n" * n + b'2\r\n"}\r\n0\r\n\r\n')


# Each name: what is sent for n, and an n of which 16n is still let in.
LISTS = {
    "stop strings": (lambda n: completion(stop=["x" * 120 + str(i) for i in range(n)], max_tokens=64), 4),
    "bytes of a stop string": (lambda n: completion(stop="ab" * n, max_tokens=64), 500),
    "stop_token_ids": (lambda n: completion(stop_token_ids=[7] * n, max_tokens=64), 64),
    "logit_bias": (lambda n: completion(logit_bias={str(i): 1 for i in range(n)}), 64),
    "refused logit_bias": (lambda n: completion(logit_bias={str(i): 1 for i in range(n)}), 3_750),
    "prompts": (lambda n: completion(prompt=["Once upon"] * n, max_tokens=1), 12),
    "refused prompts": (lambda n: completion(prompt=["a"] * n), 10_000),
    "ids of a prompt": (lambda n: completion(prompt=[5] * n), 12_500),
    "text of a prompt": (lambda n: completion(prompt="word " * n), 10_000),
    "fields that nobody reads": (lambda n: completion(**{f"field{i}": 1 for i in range(n)}), 3_125),
    "fields of a kind that is not done": (
        lambda n: completion(**{f"guided_{i}": None for i in range(n)}), 2_500),
    "white space in JSON": (lambda n: post("/tokenize", b" " * n + b'{"content":"a"}'), 62_500),
    "escapes in JSON": (lambda n: post("/tokenize", b'{"content":"' + b"\\u00e9" * n + b'"}'), 10_000),
    "words to tokenize": (lambda n: post("/tokenize", {"content": "once upon " * n}), 5_625),
    "one long word": (lambda n: post("/tokenize", {"content": "ab" * n}), 31_250),
    "one letter": (lambda n: post("/tokenize", {"content": "a" * n}), 62_500),
    "spaces": (lambda n: post("/tokenize", {"content": " " * n}), 62_500),
    "characters of four bytes": (lambda n: post("/tokenize", "{\"content\":\"".encode()
                                                + "\U0001f600".encode() * n + b'"}'), 15_000),
    "ids to detokenize": (lambda n: post("/detokenize", {"tokens": [5] * n}), 18_750),
    "texts to score": (lambda n: post("/v1/score", {"text": ["Once upon a time"] * n}), 7),
    "refused texts to score": (lambda n: post("/v1/score", {"text": ["a"] * n}), 10_000),
    "messages": (lambda n: post("/v1/chat/completions", {
        "messages": [{"role": "user", "content": "a"}] * n, "max_tokens": 1}), 1_250),
    "parts of a message": (lambda n: post("/v1/chat/completions", {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * n}], "max_tokens": 1}), 1_250),
    "headers": (lambda n: head("GET", "/plaintext", None, "A: b\r\n" * n), 312),
    "bytes of a header": (lambda n: head("GET", "/plaintext", None, f"A: {'b' * n}\r\n"), 1_875),
    "bytes of a path": (lambda n: head("GET", "/generate/" + "a" * n), 1_875),
    "slashes of a path": (lambda n: head("GET", "/" * n + "none"), 1_875),
    "escapes of a path": (lambda n: head("GET", "/generate/" + "%20" * n), 625),
    "parameters": (lambda n: head("GET", "/generate?" + "&".join(f"p{i}=1" for i in range(n))), 187),
    "requests sent ahead": (pipelined, 4_000),
    "chunks of a byte": (chunked, 10_000),
    "a compressed body": (lambda n: post("/tokenize", gzip.compress(b'{"content":"' + b"a" * n + b'"}'),
                                         "Content-Encoding: gzip\r\n"), 62_500),
}


def seconds_of(server):
    """Processor time of all its threads so far."""
    folder = f"/proc/{server.process.pid}/task"
    total = 0
    for thread in os.listdir(folder):
        with open(f"{folder}/{thread}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def cost(server, data):
    before = seconds_of(server)
    with socket.create_connection(("127.0.0.1", server.port), 60) as client:
        client.sendall(data)
        answer = b""
        while piece := client.recv(1 << 20):
            answer = answer or piece[:12]
    assert answer.startswith(b"HTTP/1.1 "), answer
    return seconds_of(server) - before, int(answer[9:12])


def check(server, name, make, n):
    """Least of some tries: whatever else the machine does only adds."""
    some, many = make(n), make(16 * n)
    least, statuses = [float("inf"), float("inf")], set()
    for _ in range(TRIES):
        for i, data in enumerate((some, many)):
            seconds, status = cost(server, data)
            least[i] = min(least[i], seconds)
            statuses.add(status)
        if least[1] < max(0.5 * MOST * least[0], LEAST):
            break
    assert len(statuses) == 1, f"{name}: a bound lies between {n} and {16 * n}: {statuses}"
    ratio = least[1] / least[0]
    print(f"{name}: {n} and {16 * n}: {1000 * least[0]:.1f} and {1000 * least[1]:.1f} ms, {ratio:.2f} ({status})",
          flush=True)
    return ratio <= MOST or least[1] < LEAST


def main():
    with Server(sys.argv[1], "--chat-template", "plain", "--no-prefix-cache", "--log-level", "error",
                "--max-buffer-total", "64MiB", "--max-queue", "4096") as server:
        for _ in range(3):
            cost(server, completion())
        wrong = [name for name, (make, n) in LISTS.items() if not check(server, name, make, n)]
    assert not wrong, f"sixteen times as much takes more than {MOST} times as long: {wrong}"


main()
