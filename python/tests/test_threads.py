"""Many Python threads on one engine: the same texts, and the lock given up while they wait."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import chorus

PROMPTS = [f"{begin} number {i}" for i in range(8) for begin in ("Once", "The", "In", "A")]


def test_32_threads_give_the_texts_of_one(engine):
    def work(i):
        completion = engine.generate(PROMPTS[i], seed=i, max_length=24)
        score = engine.score(PROMPTS[i] + completion.text)
        streamed = "".join(engine.stream(PROMPTS[i], seed=i, max_length=24))
        return completion.text, streamed, score.loss, engine.logits(completion.ids[:4]).sum()

    expected = [work(i) for i in range(32)]
    barrier = threading.Barrier(32)

    def at_once(i):
        barrier.wait()
        return work(i)

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(at_once, range(32))) == expected
    assert len({text for text, _, _, _ in expected}) == 32


def test_the_talks_model_from_32_threads(engine):
    model = chorus.GPT(engine)
    expected = [model.generate("The old man", max_length=40, seed=i) for i in range(32)]
    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(lambda i: model.generate("The old man", max_length=40, seed=i), range(32)))
    assert found == expected


def counts_meanwhile(call):
    """How often another thread's counter went round while `call` ran."""
    counter, stop = 0, False

    def count():
        nonlocal counter
        while not stop:
            counter += 1
            time.sleep(0)  # a Python thread that runs Python code, beside those that compute

    thread = threading.Thread(target=count)
    thread.start()
    before = counter
    start = time.perf_counter()
    call()
    seconds = time.perf_counter() - start
    counted = counter - before
    stop = True
    thread.join()
    return counted, seconds


def test_the_lock_is_given_up_by_everything_that_waits(engine):
    long = list(range(1000))
    big_text = "the quick brown fox " * 50000
    calls = {
        "generate": lambda: engine.generate("Once", seed=1, max_length=400),
        "stream": lambda: list(engine.stream("Once", seed=1, max_length=400)),
        "submit": lambda: engine.submit("Once", seed=2, max_length=400).result(),
        "score": lambda: engine.score([long] * 2),
        "logits": lambda: engine.logits(np.array([long[:500]])),
        "encode": lambda: engine.encode(big_text),
        "load": lambda: chorus.Engine(threads=1),
    }
    for name, call in calls.items():
        # A call that kept the lock would let the counter run for a switch interval (5 ms) at most, each time. One that gives
        # it up may still be over before a busy machine lets the counter run.
        for _ in range(20):
            counted, seconds = counts_meanwhile(call)
            if counted > 20:
                break
        assert counted > 20, f"{name}: the counter ran {counted} times in {seconds:.3f} s"


def test_streams_in_asyncio(engine):
    async def one(i, length):
        return "".join([piece async for piece in engine.astream(PROMPTS[i], seed=i, max_length=length)])

    async def all_of_them(length):
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticker = asyncio.create_task(tick())
        texts = await asyncio.gather(*(one(i, length) for i in range(32)))
        ticker.cancel()
        return texts, ticks

    for length in (40, 120, 360, 1000):  # for as long as this machine takes a while for
        texts, ticks = asyncio.run(all_of_them(length))
        assert texts == [engine.generate(PROMPTS[i], seed=i, max_length=length).text for i in range(32)]
        if ticks > 5:
            break
    assert ticks > 5  # the loop was free meanwhile


def test_an_async_stream_has_its_completion_and_its_errors(engine):
    async def run():
        stream = engine.astream("Once", seed=4, max_length=30)
        pieces = [piece async for piece in stream]
        assert "".join(pieces) == stream.completion.text
        assert pieces[0].token.id == stream.completion.ids[0]
        assert [piece async for piece in stream] == []
        try:
            async for _ in engine.astream("Once", top_k=-4):
                pass
        except chorus.InvalidArgumentError as error:
            return error.field

    assert asyncio.run(run()) == "top_k"
    assert asyncio.run(run()) == "top_k"  # in another loop


def test_engines_come_and_go_in_threads():
    def work(i):
        with chorus.Engine(threads=1) as engine:
            return engine.generate("Once", seed=5, max_length=20).text

    with ThreadPoolExecutor(6) as pool:
        texts = set(pool.map(work, range(12)))
    assert len(texts) == 1
