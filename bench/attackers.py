"""Clients that mean a server harm, a kind of attack each. Standard library only.

    python3 bench/attackers.py PORT [--seconds 60] [--kinds silent,floods]

Each kind comes from an address of its own (127.7.0.N), so that the server can tell it from others by
nothing but what any server is told. Prints JSON at the end: how often each kind attacked, and what it
was answered. The program is nicer to others than the server: what is measured is what the server does,
not that the attackers work on the same processors.
"""

import argparse
import asyncio
import collections
import gzip
import json
import os
import random
import re
import socket
import struct
import sys
import time

RESET = struct.pack("ii", 1, 0)


class Attack:
    """One kind: many visits side by side, one after another, until the time is over."""

    visitors = 4  # at once
    pause = 0.1  # seconds between the visits of one, in the mean

    def __init__(self, port, address, until):
        self.port, self.address, self.until = port, address, until
        self.counts = collections.Counter()

    async def visit(self, choose):
        raise NotImplementedError

    async def run(self):
        await asyncio.gather(*(self._visitor(number) for number in range(self.visitors)))

    async def _visitor(self, number):
        choose = random.Random(f"{type(self).__name__} {number}")
        while time.monotonic() < self.until:
            self.counts["visits"] += 1
            try:
                await asyncio.wait_for(self.visit(choose), max(0.1, self.until - time.monotonic()))
            except (OSError, EOFError, asyncio.TimeoutError) as error:
                self.counts[type(error).__name__] += 1
            await asyncio.sleep(choose.expovariate(1 / self.pause))

    async def connect(self, receive_buffer=0):
        made = socket.socket()
        made.setblocking(False)
        made.setsockopt(socket.SOL_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
        if receive_buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.bind((self.address, 0))
        try:
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", self.port))
        except BaseException:
            made.close()
            raise
        return made

    async def send(self, connection, data):
        await asyncio.get_running_loop().sock_sendall(connection, data)

    async def read_status(self, connection):
        """And a little more; what follows stays unread."""
        data = await asyncio.get_running_loop().sock_recv(connection, 4096)
        found = re.match(rb"HTTP/1\.1 (\d+) ", data)
        self.counts["answered " + (found[1].decode() if found else "nothing")] += 1

    async def read_all(self, connection):
        while await asyncio.get_running_loop().sock_recv(connection, 1 << 16):
            pass


def post(path, body, headers=""):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{headers}"
            f"Content-Length: {len(data)}\r\n\r\n").encode() + data


class Silent(Attack):
    """Connects, a thousand times side by side, and says nothing."""
    visitors, pause = 1000, 1.0

    async def visit(self, choose):
        with await self.connect() as connection:
            await self.read_all(connection)  # until the server has had enough


class TricklesHead(Attack):
    """A byte of the head every half second (Slowloris)."""
    visitors = 100

    async def visit(self, choose):
        with await self.connect() as connection:
            for byte in b"GET /generate/once?max_length=20 HTTP/1.1\r\nHost: localhost\r\n" * 20:
                await self.send(connection, bytes([byte]))
                await asyncio.sleep(0.5)


class TricklesBody(Attack):
    """Tells a large body and sends a byte of it every second."""
    visitors = 100

    async def visit(self, choose):
        with await self.connect() as connection:
            await self.send(connection, b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\n"
                            b"Content-Length: 1000000\r\n\r\n{")
            while True:
                await self.send(connection, b" ")
                await asyncio.sleep(1)


class NeverReads(Attack):
    """Asks for the longest answers there are and reads none of them."""
    visitors = 16

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.requests = [
            post("/detokenize", {"tokens": [50000] * 140_000, "with_pieces": True}),
            post("/tokenize", {"content": "a b " * 200_000, "with_pieces": True}),
            post("/v1/score", {"text": "once upon a time " * 200, "rank_and_entropy": True}),
            post("/v1/completions", {"prompt": "once", "n": 4, "max_tokens": 60, "logprobs": 50,
                                     "stream": True}),
        ]

    async def visit(self, choose):
        with await self.connect(receive_buffer=2048) as connection:
            await self.send(connection, choose.choice(self.requests))
            await self.read_status(connection)
            await asyncio.sleep(20)


class ReadsSlowly(Attack):
    """A byte a tenth of a second of a long stream."""
    visitors = 8

    async def visit(self, choose):
        with await self.connect(receive_buffer=2048) as connection:
            await self.send(connection, post("/v1/completions", {
                "prompt": "once", "max_tokens": 200, "logprobs": 20, "stream": True}))
            for _ in range(600):
                if not await asyncio.get_running_loop().sock_recv(connection, 1):
                    return
                await asyncio.sleep(0.1)


class AsksForBombs(Attack):
    """Small requests whose answers would be enormous."""

    async def visit(self, choose):
        bomb = {"prompt": [[choose.randrange(50000) for _ in range(1000)]], "n": 128, "echo": True,
                "logprobs": 100, "prompt_logprobs": 100, "max_tokens": 1}
        with await self.connect() as connection:
            await self.send(connection, post("/v1/completions", bomb))
            await self.read_status(connection)


class FloodsQueue(Attack):
    """As many samples as are let in, again and again, all of them long."""

    async def visit(self, choose):
        with await self.connect() as connection:
            await self.send(connection, post("/v1/completions", {
                "prompt": f"flood {choose.random()}", "n": 32, "max_tokens": 100,
                "ignore_eos": True}))
            await self.read_status(connection)
            await asyncio.sleep(3)


class Pipelines(Attack):
    """Requests far ahead of their answers, which it does not read."""

    async def visit(self, choose):
        with await self.connect(receive_buffer=2048) as connection:
            line = b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\r\n"
            for _ in range(50):
                await asyncio.wait_for(self.send(connection, line * 1000), 5)
            await self.read_status(connection)


class SendsLargeBodies(Attack):
    """Bodies up to the limit that are dear to read: ids, nesting, escapes, long words, many stops."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        bodies = [
            ("/v1/completions", {"prompt": [1] * 340_000}),
            ("/v1/completions", b'{"prompt": ' + b"[" * 900_000),
            ("/v1/completions", b'{"prompt": "' + b"\\u00e9" * 150_000 + b'"}'),
            ("/v1/completions", {"prompt": "once", "max_tokens": 4, "stop":
                                 [chr(97 + number % 26) * 250 for number in range(64)]}),
            ("/v1/completions", {"prompt": "once", "max_tokens": 4,
                                 "logit_bias": {str(number): 1 for number in range(60_000)}}),
            ("/v1/completions", {"prompt": ["a"] * 150_000, "max_tokens": 0}),
            ("/tokenize", {"content": "a" * 1_000_000}),
            ("/tokenize", {"content": " " * 1_000_000}),
            ("/tokenize", {"content": "\U0001f600" * 80_000}),
            ("/v1/score", {"text": "!?" * 400_000, "stride": 1}),
            ("/v1/score", {"text": ["a"] * 150_000}),
            ("/generate", {"prompt": "word " * 200_000}),
        ]
        self.requests = [post(path, body) for path, body in bodies]

    async def visit(self, choose):
        with await self.connect() as connection:
            await self.send(connection, choose.choice(self.requests))
            await self.read_status(connection)


class Compresses(Attack):
    """A kilobyte that is a megabyte, and more."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        bodies = [gzip.compress(b'{"content": "' + b"a" * size + b'"}') for size in (900_000, 100_000_000)]
        self.requests = [post("/tokenize", body, "Content-Encoding: gzip\r\n") for body in bodies]

    async def visit(self, choose):
        with await self.connect() as connection:
            await self.send(connection, choose.choice(self.requests))
            await self.read_status(connection)


class SendsRubbish(Attack):
    """Random bytes, TLS to a plain port, HTTP/2, heads that two programs might read differently."""

    async def visit(self, choose):
        rubbish = [
            bytes(choose.randrange(256) for _ in range(2000)),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(100),
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 4000 + b"\r\n",
            b"POST /v1/score HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
            b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"1\r\n \r\n" * 50_000,
            b"GET /" + b"../" * 5000 + b"etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /generate?" + b"a=b&" * 7000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ]
        with await self.connect() as connection:
            await self.send(connection, choose.choice(rubbish))
            await self.read_status(connection)


class Resets(Attack):
    """Connects, asks, and resets, as fast as it can."""
    visitors, pause = 16, 0.02

    async def visit(self, choose):
        with await self.connect() as connection:
            await self.send(connection, post("/v1/completions", {
                "prompt": "reset " * choose.randrange(300), "max_tokens": 100, "stream": True}))
            await asyncio.sleep(choose.random() / 20)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


KINDS = {"silent": Silent, "trickles-head": TricklesHead, "trickles-body": TricklesBody,
         "never-reads": NeverReads, "reads-slowly": ReadsSlowly, "bombs": AsksForBombs,
         "floods": FloodsQueue, "pipelines": Pipelines, "large-bodies": SendsLargeBodies,
         "compresses": Compresses, "rubbish": SendsRubbish, "resets": Resets}


def kinds_of(names):
    """Of an option's value; raises ArgumentTypeError."""
    kinds = [name for name in names.split(",") if name]
    for kind in kinds:
        if kind not in KINDS:
            raise argparse.ArgumentTypeError(f"no attack is called {kind}: " + ", ".join(KINDS))
    return kinds


async def attack(port, kinds, seconds):
    until = time.monotonic() + seconds
    attacks = {kind: KINDS[kind](port, f"127.7.0.{1 + list(KINDS).index(kind)}", until)
               for kind in kinds}
    await asyncio.gather(*(one.run() for one in attacks.values()))
    return {kind: dict(one.counts) for kind, one in attacks.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kinds", type=kinds_of, default=list(KINDS),
                        help="of: " + ", ".join(KINDS))
    arguments = parser.parse_args()
    os.nice(5)
    json.dump(asyncio.run(attack(arguments.port, arguments.kinds, arguments.seconds)), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
