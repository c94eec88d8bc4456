"""What the soak asks for: a fixed list of requests from a seed, and how one is asked and its answer
compared. Standard library only.

An answer that streams and one that does not have the same form here, so that one table of known
answers serves both."""

import dataclasses
import http.client
import json
import random
import socket
import time
import urllib.parse

WORDS = ("once upon a time there lived in the deep forest an old woman who had two sons and one of "
         "them went out into the wide world to seek his fortune while his brother stayed at home"
         ).split()
JSON_HEADERS = {"Content-Type": "application/json"}
TIMEOUT = 120  # seconds


@dataclasses.dataclass(eq=False)  # each is a key of the table of known answers
class Asked:
    name: str
    method: str
    path: str
    body: object = None  # a dict is sent as JSON
    status: int = 200
    can_stream: bool = False


@dataclasses.dataclass
class Answer:
    status: int
    value: object  # comparable; the error's for a status over 299
    first_seconds: float  # to the first byte of the body
    seconds: float
    gaps: list  # seconds between the pieces in which the body came


def text(choose, words):
    return " ".join(choose.choice(WORDS) for _ in range(words))


def completion(choose, name, words, **fields):
    body = {"prompt": text(choose, words), "max_tokens": 24, "seed": choose.randrange(1000)}
    return Asked(name, "POST", "/v1/completions", body | fields, can_stream=True)


def generate(choose, words, length):
    prompt = urllib.parse.quote(text(choose, words))
    return Asked("generate", "GET", f"/generate/{prompt}?max_length={length}"
                 f"&seed={choose.randrange(1000)}&top_k={choose.choice((0, 50))}")


def texts(seed, rounds=2):
    """Requests that are answered with 200."""
    choose = random.Random(f"texts {seed}")
    result = [Asked("plaintext", "GET", "/plaintext"), Asked("models", "GET", "/v1/models")]
    for _ in range(rounds):
        result += [
            generate(choose, 6, 40), generate(choose, 120, 180),
            Asked("post generate", "POST", "/generate",
                  {"prompt": text(choose, 5), "max_length": 40, "seed": choose.randrange(1000)}),
            completion(choose, "short", 6), completion(choose, "greedy", 6, temperature=0),
            completion(choose, "long prompt", 400),
            completion(choose, "long text", 6, max_tokens=120),
            completion(choose, "n", 20, n=4), completion(choose, "long prompt, n", 300, n=3),
            completion(choose, "stop", 8, stop=["the", " a"], n=2, max_tokens=60),
            completion(choose, "stop kept", 8, stop=["e"], include_stop_str_in_output=True),
            completion(choose, "logprobs", 12, logprobs=5),
            completion(choose, "echo", 30, echo=True, logprobs=2, max_tokens=8),
            completion(choose, "penalties", 10, presence_penalty=0.5, frequency_penalty=0.3,
                       repetition_penalty=1.1, top_p=0.9, min_p=0.01),
            completion(choose, "prompts", 6, prompt=[text(choose, 4) for _ in range(3)], n=2),
            Asked("score", "POST", "/v1/score", {"text": [text(choose, 60), text(choose, 7)]}),
            Asked("score, stride", "POST", "/v1/score",
                  {"text": text(choose, 1200), "stride": 512}),
            Asked("tokenize", "POST", "/tokenize", {"content": text(choose, 500)}),
            Asked("detokenize", "POST", "/detokenize",
                  {"tokens": [choose.randrange(50000) for _ in range(100)]}),
        ]
    return result


def slow_texts(seed):
    """Streams with much to read."""
    choose = random.Random(f"slow {seed}")
    return [completion(choose, "slow", 8, n=4, logprobs=5, max_tokens=40) for _ in range(2)]


def overflowing(seed):
    """So many samples that a burst of these does not fit into the queue."""
    choose = random.Random(f"overflow {seed}")
    return [completion(choose, "burst", 10, n=16, max_tokens=12) for _ in range(2)]


def last_text(seed):
    """Long enough to be running when the server is told to end."""
    return completion(random.Random(f"last {seed}"), "last", 6, max_tokens=400, ignore_eos=True)


def wrong(max_queue):
    """Requests that are answered with an error, the same each time."""
    def post(name, status, body):
        return Asked("wrong: " + name, "POST", "/v1/completions", body, status)

    return [
        Asked("wrong: parameter", "GET", "/generate/a?max_length=many", None, 400),
        Asked("wrong: UTF-8", "GET", "/generate/%FF", None, 400),
        Asked("wrong: path", "GET", "/nothing", None, 404),
        Asked("wrong: method", "DELETE", "/v1/completions", None, 405),
        Asked("wrong: head", "GET", "/generate/" + "a" * 40000, None, 431),
        Asked("wrong: body", "POST", "/tokenize", b"x" * 1_200_000, 413),
        Asked("wrong: JSON", "POST", "/v1/score", b'{"text": ', 400),
        post("model", 404, {"prompt": "a", "model": "another"}),
        post("length", 400, {"prompt": "a", "max_tokens": 100000}),
        post("type", 400, {"prompt": "a", "temperature": "hot"}),
        post("stops", 400, {"prompt": "a", "stop": ["a"] * 65}),
        post("suffix", 400, {"prompt": "a", "suffix": "b"}),
        post("too many", 400, {"prompt": ["a"] * (max_queue // 64 + 1), "n": 64}),
    ]


def connect(port, receive_buffer=0, address="127.0.0.1"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT,
                                            source_address=(address, 0))
    if receive_buffer > 0:
        connection.sock = socket.socket()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.sock.settimeout(TIMEOUT)
        connection.sock.bind((address, 0))
        connection.sock.connect(("127.0.0.1", port))
    return connection


def ask(connection, asked, stream=False, pause=0.0):
    """With `pause` its reader is slow: so many seconds between two KiB. Raises OSError or
    HTTPException if there was no whole answer."""
    body, headers = asked.body, {}
    if body is not None:
        headers = JSON_HEADERS
        if isinstance(body, dict):
            body = json.dumps(body | ({"stream": True} if stream else {}))
    begun = time.monotonic()
    connection.request(asked.method, asked.path, body, headers)
    response = connection.getresponse()
    data, came = b"", []
    while piece := response.read1(1024 if pause > 0 else 65536):
        came.append(time.monotonic())
        data += piece
        time.sleep(pause)
    response.read()  # raises if the length that was told is not reached
    now = time.monotonic()
    return Answer(response.status, comparable(asked, response.status, data, stream),
                  (came or [now])[0] - begun, now - begun,
                  [later - earlier for earlier, later in zip(came, came[1:])])


def comparable(asked, status, data, stream):
    if status == 429:
        return json.loads(data)["error"]["code"]  # the message tells how many wait
    if status > 299:
        return json.loads(data)["error"]
    if asked.name == "models":
        return [model["id"] for model in json.loads(data)["data"]]
    if not asked.can_stream:
        return data
    if not stream:
        return {choice["index"]: choice_form([choice]) for choice in json.loads(data)["choices"]}
    events = data.decode().split("\n\n")
    if events[-2:] != ["data: [DONE]", ""]:
        raise http.client.HTTPException(f"a stream without its end: {events[-2:]}")
    parts = {}
    for event in events[:-2]:
        for choice in json.loads(event.removeprefix("data: "))["choices"]:
            parts.setdefault(choice["index"], []).append(choice)
    return {index: choice_form(choices) for index, choices in parts.items()}


def choice_form(parts):
    """One choice, from all that was told of it."""
    logprobs = {}
    for part in parts:
        for key, values in (part["logprobs"] or {}).items():
            logprobs.setdefault(key, []).extend(values)
    reasons = [part["finish_reason"] for part in parts if part["finish_reason"]]
    return {"text": "".join(part["text"] for part in parts), "logprobs": logprobs,
            "finish_reason": reasons}
