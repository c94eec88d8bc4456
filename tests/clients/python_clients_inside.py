"""What python_clients.py runs in the environment that it has made: URL of the server."""

import gzip
import json
import sys

import httpx
import openai
import requests
from langchain_openai import ChatOpenAI, OpenAI

REQUEST = {"model": "storyteller", "prompt": "Once upon a time", "max_tokens": 20, "seed": 42}
# U+2028, U+2029 and U+0085, which str.splitlines() takes for ends of lines.
LINE_ENDS = "a\u2028b\u2029c\u0085d"


def check_openai(base):
    client = openai.OpenAI(base_url=base + "/v1", api_key="none", max_retries=0)
    whole = client.completions.create(**REQUEST)
    text = whole.choices[0].text
    assert text and whole.usage.completion_tokens == 20, whole
    stream = client.completions.create(**REQUEST, stream=True)
    assert "".join(event.choices[0].text for event in stream) == text
    assert client.models.retrieve("storyteller").id == "storyteller"

    messages = [{"role": "user", "content": "Once upon a time"}]
    chat = {"model": "storyteller", "messages": messages, "max_completion_tokens": 20, "seed": 42}
    answer = client.chat.completions.create(**chat, logprobs=True, top_logprobs=3)
    assert answer.choices[0].message.content == text, answer
    assert answer.choices[0].message.role == "assistant"
    rows = answer.choices[0].logprobs.content
    assert len(rows) == 20 and len(rows[0].top_logprobs) == 3
    assert b"".join(bytes(row.bytes) for row in rows).decode() == text
    stream = client.chat.completions.create(**chat, stream=True)
    assert "".join(event.choices[0].delta.content or "" for event in stream) == text

    for field, value in (("response_format", {"type": "json_object"}),
                         ("tools", [{"type": "function", "function": {"name": "f"}}])):
        try:
            client.chat.completions.create(**chat, **{field: value})
            raise AssertionError(field + " was taken")
        except openai.BadRequestError as error:
            assert error.param == field, error
    try:
        client.completions.create(**{**REQUEST, "max_tokens": 5000})
        raise AssertionError("too long a text was taken")
    except openai.BadRequestError as error:
        assert error.code == "context_length_exceeded", error
    try:
        client.embeddings.create(model="storyteller", input="a")
        raise AssertionError("there are embeddings")
    except openai.NotFoundError as error:
        assert "embeddings" in str(error), error
    return text


def check_lines(base, iterate):
    """`iterate` gives the lines of a stream: each event is one, whatever characters its text holds."""
    body = {"prompt": LINE_ENDS, "max_tokens": 1, "echo": True, "stream": True}
    events = [line for line in iterate(base + "/v1/completions", body) if line]
    assert events[-1] == "data: [DONE]", events
    texts = [json.loads(event[len("data: "):])["choices"][0]["text"] for event in events[:-1]]
    assert texts[0] == LINE_ENDS, texts


def requests_lines(url, body):
    answer = requests.post(url, json=body, stream=True, timeout=60)
    assert answer.encoding == "utf-8", answer.encoding
    return list(answer.iter_lines(decode_unicode=True))


def httpx_lines(url, body):
    with httpx.stream("POST", url, json=body, timeout=60) as answer:
        return list(answer.iter_lines())


def check_compressed(base):
    body = json.dumps({"content": "Hello, world"}).encode()
    answer = requests.post(base + "/tokenize", data=gzip.compress(body), timeout=60,
                           headers={"Content-Encoding": "gzip"})
    assert answer.json()["count"] == 3, answer.text


def check_langchain(base, text):
    model = OpenAI(base_url=base + "/v1", api_key="none", model="storyteller", max_tokens=20,
                   seed=42, temperature=1, max_retries=0)
    assert model.invoke("Once upon a time") == text
    assert "".join(model.stream("Once upon a time")) == text
    chat = ChatOpenAI(base_url=base + "/v1", api_key="none", model="storyteller", max_tokens=20,
                      seed=42, temperature=1, max_retries=0)
    assert chat.invoke("Once upon a time").content == text
    assert "".join(chunk.content for chunk in chat.stream("Once upon a time")) == text


def main(base):
    text = check_openai(base)
    check_lines(base, requests_lines)
    check_lines(base, httpx_lines)
    check_compressed(base)
    check_langchain(base, text)
    print("openai", openai.__version__, "requests", requests.__version__, "httpx",
          httpx.__version__, "and LangChain work")


main(*sys.argv[1:])
