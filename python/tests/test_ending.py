"""What ends a call before its time: dropping it, cancelling, Ctrl-C, fork, the end of the interpreter."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import chorus

LONG = dict(seed=1, max_length=100_000, past_block="crop", ignore_eos=True)  # hours


def idle(engine, seconds=20.0):
    """Whether nothing runs any more, soon."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        stats = engine.stats()
        if stats.running == stats.waiting == 0:
            return True
        time.sleep(0.01)
    return False


def test_dropping_a_stream_cancels_it(engine):
    stream = engine.stream("Once", **LONG)
    next(stream)
    assert engine.stats().running == 1
    del stream
    gc.collect()
    assert idle(engine)
    for piece in engine.stream("Once", **LONG):
        break
    gc.collect()
    assert idle(engine)


def test_closing_a_stream_ends_it(engine):
    with engine.stream("Once", n=3, **LONG) as stream:
        next(stream)
    assert idle(engine)
    rest = list(stream)  # what was there already
    assert len(rest) < 10000
    assert [sample.finish_reason for sample in stream.completions] == ["cancelled"] * 3
    other = engine.stream("Once", **LONG)
    threading.Timer(0.1, other.close).start()
    assert sum(1 for _ in other) > 0  # ends
    assert idle(engine)


def test_cancelling_a_future_cancels_its_request(engine):
    future = engine.submit("Once", **LONG)
    assert not future.done() and future.cancel() and future.cancelled()
    assert idle(engine)
    done = engine.submit("Once", seed=1, max_length=10)
    done.result()
    assert not done.cancel()


def test_cancelling_a_task_cancels_its_request(engine):
    async def read(begun):
        async for _ in engine.astream("Once", **LONG):
            begun.set()

    async def run():
        begun = asyncio.Event()
        task = asyncio.create_task(read(begun))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(idle, engine)

        async for _ in engine.astream("Once", **LONG):
            break
        gc.collect()
        assert await asyncio.to_thread(idle, engine)

        async with engine.astream("Once", **LONG) as stream:
            await stream.__anext__()
        assert await asyncio.to_thread(idle, engine)

        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(read(asyncio.Event()), 0.2)
        assert await asyncio.to_thread(idle, engine)

    asyncio.run(run())


def test_a_batch_that_fails_leaves_nothing_running(engine):
    with pytest.raises(chorus.InvalidArgumentError):
        engine.generate(["Once"] * 5 + ["word " * 2000], seed=1, max_length=900)
    gc.collect()
    assert idle(engine)


def run_program(program, *arguments, interrupt=False, seconds=60):
    """Runs a Python program; with `interrupt`, sends it SIGINT once it has said that it is ready."""
    # Whoever runs the tests in the background may have them ignore SIGINT, and so what they start.
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    process = subprocess.Popen([sys.executable, "-c", heeds + textwrap.dedent(program), *arguments],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        if interrupt:
            assert process.stdout.readline().strip() == "ready"
            time.sleep(0.3)
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=seconds)
    finally:
        process.kill()
    taken = time.monotonic() - sent if interrupt else 0.0
    return process.returncode, output, taken


INTERRUPTED = """
    import asyncio, sys
    import chorus
    import numpy as np
    engine = chorus.Engine(threads=1)
    LONG = dict(seed=1, max_length=100_000, past_block="crop", ignore_eos=True)
    rows = np.zeros((300, 900), int)

    async def read():
        async for _ in engine.astream("Once", **LONG):
            pass

    calls = {
        "generate": lambda: engine.generate("Once", **LONG),
        "batch": lambda: engine.generate(["Once", "The"], n=2, **LONG),
        "stream": lambda: [None for _ in engine.stream("Once", **LONG)],
        "astream": lambda: asyncio.run(read()),
        "submit": lambda: engine.submit("Once", **LONG).result(),
        "score": lambda: engine.score(rows),
        "long score": lambda: engine.score([1] * 500_000, stride=1),
        "talk": lambda: chorus.GPT(engine)(rows[:20]) and chorus.GPT(engine)(rows),
    }
    print("ready", flush=True)
    try:
        calls[sys.argv[1]]()
        print("ended by itself")
    except KeyboardInterrupt:
        print("interrupted")
    # And the engine goes on.
    future = None
    print(len(engine.generate("Once", seed=1, max_length=20).ids))
"""


@pytest.mark.parametrize("call", ["generate", "batch", "stream", "astream", "submit", "score", "long score", "talk"])
def test_ctrl_c_ends_every_call(call):
    code, output, seconds = run_program(INTERRUPTED, call, interrupt=True)
    assert (code, output.split()) == (0, ["interrupted", "19"]), output
    assert seconds < 30


def test_ctrl_c_without_a_handler_ends_the_program():
    code, output, _ = run_program("""
        import chorus
        engine = chorus.Engine(threads=1)
        print("ready", flush=True)
        engine.generate("Once", seed=1, max_length=100_000, past_block="crop", ignore_eos=True)
    """, interrupt=True)
    assert code in (-signal.SIGINT, 1) and "KeyboardInterrupt" in output


def test_a_signal_handler_that_does_not_raise_interrupts_nothing():
    code, output, _ = run_program("""
        import signal, chorus
        engine = chorus.Engine(threads=1)
        seen = []
        signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
        signal.setitimer(signal.ITIMER_REAL, 0.06, 0.06)
        text = engine.generate("Once", seed=1, max_length=900).text
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(len(seen) > 0, text == engine.generate("Once", seed=1, max_length=900).text)
    """)
    assert (code, output.split()) == (0, ["True", "True"]), output


def test_a_forked_child_is_refused_and_may_load_its_own():
    code, output, _ = run_program("""
        import os, threading, warnings, chorus
        warnings.simplefilter("ignore")  # Python's own, about fork with threads
        engine = chorus.Engine(threads=2)
        stream = engine.stream("Once", seed=1, max_length=1000, ignore_eos=True)
        next(stream)
        future = engine.submit("Once", seed=2, max_length=20)
        child = os.fork()
        if child == 0:
            model = chorus.GPT(engine)
            for call in (lambda: engine.generate("Once"), lambda: engine.encode("Once"), engine.stats,
                         lambda: engine.score("Once"), lambda: engine.submit("Once"), lambda: next(stream),
                         lambda: model.generate("Once"), lambda: model([[1]])):
                try:
                    call()
                    print("no error", flush=True)
                except chorus.UnavailableError as error:
                    assert "before this process was forked" in str(error), error
            engine.close()
            stream.close()
            del stream, engine, model
            own = chorus.Engine(threads=1)
            print("child", own.submit("Once", seed=3, max_length=20).result().text.strip()[:3] != "", flush=True)
            raise SystemExit(7)
        print("code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        print("parent", len(future.result().ids), "".join(stream) != "")
    """)
    assert (code, output.split()) == (0, ["child", "True", "code", "7", "parent", "19", "True"]), output


def test_multiprocessing_by_fork_is_refused_clearly():
    code, output, _ = run_program("""
        import multiprocessing, chorus
        engine = chorus.Engine(threads=1)
        def work(prompt):
            return engine.generate(prompt, max_length=10).text
        with multiprocessing.get_context("fork").Pool(2) as pool:
            try:
                pool.map(work, ["Once", "The"])
            except chorus.UnavailableError as error:
                print(error)
    """)
    assert code == 0 and "loaded before this process was forked" in output, output


def test_the_interpreter_ends_in_the_middle_of_everything():
    for _ in range(3):
        code, output, _ = run_program("""
            import threading, time, chorus
            engine = chorus.Engine(threads=2)
            LONG = dict(seed=1, max_length=100_000, past_block="crop", ignore_eos=True)
            for i in range(8):
                threading.Thread(target=lambda: engine.generate("Once", **LONG), daemon=True).start()
            for i in range(2):
                threading.Thread(target=lambda: [0 for _ in engine.stream("Once", **LONG)], daemon=True).start()
            futures = [engine.submit("Once", **LONG) for _ in range(5)]
            streams = [engine.stream("Once", **LONG) for _ in range(5)]
            threading.excepthook = lambda _: None
            time.sleep(0.2)
            print("end", flush=True)
        """)
        assert (code, output.split()) == (0, ["end"]), output


def resident_kilobytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def test_nothing_leaks():
    """LEAK_GENERATIONS (default 600): how many are made; the first half warms up."""
    generations = int(os.environ.get("LEAK_GENERATIONS", "600"))
    with chorus.Engine(threads=2, kv_memory=64 << 20) as engine:
        def some(count):
            for i in range(count):
                engine.generate("Once upon a time", seed=i, max_length=12, logprobs=1)
                if i % 10 == 0:
                    next(engine.stream("The old man", seed=i, max_length=30))
                    engine.submit("The old man", seed=i, max_length=8).result()
                    engine.score("The old man went home.")
                    engine.logits([[1, 2, 3]])
                    try:
                        engine.generate("Once", top_k=-1)
                    except chorus.ChorusError:
                        pass
            gc.collect()

        some(generations // 2)
        before = resident_kilobytes()
        some(generations - generations // 2)
        after = resident_kilobytes()
    print(f"{generations} generations: {before} kB after half, {after} kB after all")
    assert after < before * 1.02
