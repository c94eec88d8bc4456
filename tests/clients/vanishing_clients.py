"""Clients that go away: what they ask for, how far they come, and how they leave. What each one
does follows from its seed alone; when, from the machine. Standard library only."""

import asyncio
import collections
import json
import random
import re
import socket
import struct

WORDS = ("the king had a daughter who was so beautiful that the sun itself which has seen so much "
         "was astonished whenever it shone in her face close by the castle lay a great dark forest"
         ).split()

# How far a client comes before it leaves.
POINTS = ("before sending", "in the request line", "in the headers", "in the body",
          "after the request", "after two requests", "after the first chunk", "in the stream",
          "in a second request")
# "half-closed" ends its sending, and stays until the server closes.
WAYS = ("closed", "reset", "half-closed")

PATIENCE = 3.0  # seconds for the next chunk; then the client leaves without it
MOST_HALF_CLOSED = 60.0  # seconds; the server must have closed before


def text(choose, most):
    return " ".join(choose.choice(WORDS) for _ in range(choose.randint(1, most)))


def post(path, body):
    data = json.dumps(body).encode()
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n").encode() + data


def generate(choose):
    prompt = text(choose, choose.choice((5, 5, 300))).replace(" ", "%20")
    return (f"GET /generate/{prompt}?max_length={choose.randint(300, 900)} HTTP/1.1\r\n"
            "Host: localhost\r\nUser-Agent: vanishing\r\n\r\n").encode()


def completions(choose):
    # Long prompts are given up in the middle of being read; many, while they wait.
    return post("/v1/completions", {
        "prompt": text(choose, choose.choice((5, 100, 800))), "n": choose.choice((1, 1, 1, 2, 4)),
        "max_tokens": choose.randint(5, 150), "stream": choose.random() < 0.6,
        "logprobs": choose.choice((None, None, 5))})


def score(choose):
    return post("/v1/score", {"text": [text(choose, 100) for _ in range(choose.randint(1, 4))]})


def tokenize(choose):
    return post("/tokenize", {"content": text(choose, 2000)})


def random_request(choose):
    return choose.choice((generate, generate, completions, completions, completions, score,
                          tokenize))(choose)


def what_is_sent(choose, point):
    """Up to where the client comes, before it reads anything."""
    request = random_request(choose)
    line = request.index(b"\r\n")
    head = request.index(b"\r\n\r\n") + 4
    while point == "in the body" and head == len(request):
        request = post("/tokenize", {"content": text(choose, 2000)})
        head = request.index(b"\r\n\r\n") + 4
    if point == "before sending":
        return b""
    if point == "in the request line":
        return request[:choose.randint(1, line)]
    if point == "in the headers":
        return request[:choose.randint(line, head - 1)]
    if point == "in the body":
        return request[:choose.randint(head, len(request) - 1)]
    if point == "after two requests":
        return request + random_request(choose)
    if point == "in a second request":
        return tokenize(choose)
    return request


class Storm:
    """`tally` counts (point, way); `statuses`, what clients saw before they left; `failures`, what
    none of them should see."""

    def __init__(self, port, seed, pace=0.25):
        self.port, self.seed, self.pace = port, seed, pace
        self.tally, self.statuses = collections.Counter(), collections.Counter()
        self.failures = collections.Counter()
        self.open = self.most_open = 0
        self.running = lambda: True

    async def run(self, clients, running):
        """Until `running()` is false."""
        self.running = running
        await asyncio.gather(*(self._client(number) for number in range(clients)))

    async def _client(self, number):
        choose = random.Random(f"{self.seed} {number}")
        # Ports of one address do not last for a minute of connections that wait for their end.
        source = f"127.0.{number // 250 % 250}.{number % 250 + 1}"
        await self._pause(choose)
        while self.running():
            with socket.socket() as client:
                client.setblocking(False)
                client.setsockopt(socket.SOL_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
                client.bind((source, 0))
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                await self._visit(choose, client)
            self.open -= 1

    async def _visit(self, choose, client):
        point, way = choose.choice(POINTS), choose.choice(WAYS)
        loop = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(loop.sock_connect(client, ("127.0.0.1", self.port)), 30)
        except (OSError, asyncio.TimeoutError) as error:
            self.failures[f"connecting: {error!r}"] += 1
            return await self._pause(choose)
        try:
            await self._come_to(choose, client, point)
        except ConnectionError:
            self.tally["cut by the server", point] += 1  # as half of a refused request is
            return
        self.tally[point, way] += 1
        if way == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if way == "half-closed":
            await self._half_close(client)

    async def _come_to(self, choose, client, point):
        loop = asyncio.get_running_loop()
        data = what_is_sent(choose, point)
        try:
            await asyncio.wait_for(loop.sock_sendall(client, data), PATIENCE)
        except asyncio.TimeoutError:
            return
        if point == "after the first chunk" or point == "in the stream":
            for number in range(1 if point == "after the first chunk" else choose.randint(2, 30)):
                if not await self._read(client, is_first=number == 0) or not self.running():
                    return
        elif point == "in a second request":
            if await self._read(client, is_first=True):
                again = random_request(choose)
                await loop.sock_sendall(client, again[:choose.randint(1, len(again) - 1)])
        await self._pause(choose)

    async def _read(self, client, is_first):
        loop = asyncio.get_running_loop()
        try:
            chunk = await asyncio.wait_for(loop.sock_recv(client, 4096), PATIENCE)
        except asyncio.TimeoutError:
            return False
        if is_first:
            status = re.match(rb"HTTP/1\.1 (\d+) ", chunk)
            self.statuses[status[1].decode() if status else "none"] += 1
        return len(chunk) > 0

    async def _half_close(self, client):
        async def read_all():
            while await asyncio.get_running_loop().sock_recv(client, 65536):
                pass

        try:
            client.shutdown(socket.SHUT_WR)
            await asyncio.wait_for(read_all(), MOST_HALF_CLOSED)
        except OSError:
            pass
        except asyncio.TimeoutError:
            self.failures["a half-closed connection stayed open"] += 1

    async def _pause(self, choose):
        await asyncio.sleep(choose.expovariate(1 / self.pace))

    def summary(self):
        by_point, by_way = collections.Counter(), collections.Counter()
        for (point, way), count in self.tally.items():
            by_point[point] += count
            by_way[way] += count
        return {"vanished": sum(self.tally.values()), "most_open": self.most_open,
                "by_point": dict(by_point), "by_way": dict(by_way),
                "statuses_seen": dict(self.statuses), "failures": dict(self.failures)}
