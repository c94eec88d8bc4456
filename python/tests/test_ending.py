"""What ends a call before its time: dropping it, cancelling, Ctrl-C, fork, the end of the interpreter."""

import asyncio
import concurrent.futures
import functools
import gc
import logging
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


@functools.cache
def patience():
    """Seconds after which a program of these tests hangs: three minutes, and more where starting one takes its time (in an
    interpreter that is compiled for a sanitizer, on a busy machine)."""
    begin = time.monotonic()
    subprocess.run([sys.executable, "-c", "import chorus"], check=True)
    return 180 + 20 * (time.monotonic() - begin)


def idle(engine):
    """Whether nothing runs any more, soon."""
    end = time.monotonic() + patience() / 2
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
    next(other)
    threading.Timer(0.1, other.close).start()
    assert sum(1 for _ in other) < 1_000_000  # ends
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


def test_a_stream_that_was_closed_keeps_nobody_waiting(engine):
    async def rest(stream):
        return [piece async for piece in stream]

    async def run():
        # While another task waits for the next piece.
        stream = engine.astream("Once", **LONG)
        first = await stream.__anext__()
        task = asyncio.create_task(rest(stream))
        await asyncio.sleep(0.05)
        await stream.aclose()
        await asyncio.wait_for(task, patience())
        assert [piece async for piece in stream] == [] and first.sample == 0

        # And after a wait that somebody gave up.
        stream = engine.astream("Once", **LONG)
        await stream.__anext__()
        with pytest.raises(asyncio.TimeoutError):
            while True:
                await asyncio.wait_for(stream.__anext__(), 0.0001)
        await asyncio.wait_for(rest(stream), patience())
        assert await asyncio.to_thread(idle, engine)

    for _ in range(3):
        asyncio.run(run())


def test_a_batch_that_fails_leaves_nothing_running(engine):
    with pytest.raises(chorus.InvalidArgumentError) as kept:  # as a notebook keeps the last one, with its frames
        engine.generate(["Once"] * 5 + ["word " * 2000], seed=1, max_length=900, ignore_eos=True)
    assert idle(engine) and kept.value.field == "prompt"


def test_closing_ends_what_runs_on_any_thread():
    engine = chorus.Engine(threads=1)
    calls = [lambda: engine.generate("Once", **LONG), lambda: list(engine.stream("Once", **LONG)),
             lambda: engine.score([1] * 500_000, stride=1), lambda: engine.submit("Once", **LONG).result(),
             lambda: [engine.logits([1] * 900) for _ in range(100_000)]]
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
        while engine.stats().generated_tokens < 10:
            time.sleep(0.01)
        engine.close()
        for future in futures:
            with pytest.raises(chorus.UnavailableError, match="the engine was closed"):
                future.result(timeout=patience())


def test_callbacks_of_futures_may_wait_and_fail(engine, caplog):
    def ends_the_program(future):
        if threading.current_thread() is not threading.main_thread():  # where it is called if the future is done already
            raise SystemExit(3)

    later = concurrent.futures.Future()

    def waits(future):
        later.set_result(engine.submit("Once", seed=2, max_length=10).result(timeout=patience()))

    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            failing = engine.submit("Once", seed=1, max_length=30)
            failing.add_done_callback(ends_the_program)
            assert len(failing.result(timeout=patience()).ids) > 1
        waiting = engine.submit("Once", seed=1, max_length=30)
        waiting.add_done_callback(waits)
        assert len(later.result(timeout=patience()).ids) == 9


def run_program(program, *arguments, interrupt=False):
    """Runs a Python program; with `interrupt`, sends it SIGINT once it has said that it is ready."""
    seconds = patience()
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
        "encode": lambda: engine.encode("\u6f22\u5b57" * 5_000_000),
        "talk": lambda: chorus.GPT(engine)(rows[:20]) and chorus.GPT(engine)(rows),
    }
    try:
        print("ready", flush=True)
        calls[sys.argv[1]]()
        print("ended by itself")
    except KeyboardInterrupt:
        print("interrupted")
    # And the engine goes on.
    future = None
    print(len(engine.generate("Once", seed=1, max_length=20).ids))
"""


@pytest.mark.parametrize("call", ["generate", "batch", "stream", "astream", "submit", "score", "long score", "encode", "talk"])
def test_ctrl_c_ends_every_call(call):
    code, output, seconds = run_program(INTERRUPTED, call, interrupt=True)
    assert (code, output.split()) == (0, ["interrupted", "19"]), output
    assert seconds < patience() / 2


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
        while not seen:  # on a fast machine that was over before the first
            text = engine.generate("Once", seed=1, max_length=900).text
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(len(seen) > 0, text == engine.generate("Once", seed=1, max_length=900).text)
    """)
    assert (code, output.split()) == (0, ["True", "True"]), output


def test_a_signal_handler_may_call_what_it_interrupts():
    code, output, _ = run_program("""
        import signal, chorus
        engine = chorus.Engine(threads=1, max_queue=1_000_000)
        futures = []
        def handler(*_):
            if len(futures) < 200:
                futures.append(engine.submit("Once", seed=1, max_length=3))
                signal.setitimer(signal.ITIMER_REAL, 0.0003)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0003)
        while len(futures) < 200:
            engine.submit("Once", seed=2, max_length=3).cancel()
        print(sum(len(future.result().ids) for future in futures))
    """)
    assert (code, output.split()) == (0, ["400"]), output


def test_a_forked_child_is_refused_and_may_load_its_own():
    code, output, _ = run_program("""
        import os, threading, warnings, chorus
        warnings.simplefilter("ignore")  # Python's own, about fork with threads
        engine = chorus.Engine(threads=2)
        stream = engine.stream("Once", seed=1, max_length=1000, ignore_eos=True)
        next(stream)
        future = engine.submit("Once", seed=2, max_length=20)
        running = engine.submit("Once", seed=2, max_length=100_000, past_block="crop", ignore_eos=True)
        child = os.fork()
        if child == 0:
            model = chorus.GPT(engine)
            for call in (lambda: engine.generate("Once"), lambda: engine.encode("Once"), engine.stats,
                         lambda: engine.score("Once"), lambda: engine.submit("Once"), lambda: next(stream),
                         lambda: model.generate("Once"), lambda: model([[1]]), running.result, running.exception):
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
        running.cancel()
        print("code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        print("parent", len(future.result().ids), "".join(stream) != "")
    """)
    assert (code, output.split()) == (0, ["child", "True", "code", "7", "parent", "19", "True"]), output


def test_a_child_is_forked_at_any_moment():
    code, output, _ = run_program("""
        import gc, os, threading, warnings, chorus
        warnings.simplefilter("ignore")
        engine = chorus.Engine(threads=1)
        stop = False
        def work(call):
            while not stop:
                call()
        threads = [threading.Thread(target=work, args=(call,)) for call in (
            lambda: engine.generate("Once", seed=1, max_length=3), lambda: next(engine.stream("Once", seed=1)),
            lambda: engine.submit("Once", seed=1, max_length=3).result(), lambda: engine.encode("Once"))]
        for thread in threads:
            thread.start()
        wrong = 0
        for _ in range(50):
            child = os.fork()
            if child == 0:
                gc.collect()
                try:
                    engine.generate("Once")
                except chorus.UnavailableError:
                    os._exit(0)
                os._exit(1)
            wrong += os.waitpid(child, 0)[1] != 0
        stop = True
        for thread in threads:
            thread.join()
        print(wrong)
    """)
    assert (code, output.split()) == (0, ["0"]), output


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


def test_threads_that_never_stop_do_not_hinder_the_end():
    for _ in range(3):
        code, output, _ = run_program("""
            import weakref
            class Other: pass
            other = Other()
            weakref.finalize(other, int)  # has its turn at the end, and so have all others, after the package's
            import asyncio, threading, time, chorus
            engine = chorus.Engine(threads=1)
            text = "word other " * 5000
            async def read():
                async for _ in engine.astream("Once", seed=1, max_length=20):
                    pass
            def work(call):
                while True:
                    try:
                        call()
                    except Exception:
                        pass
            begun = []
            for call in (lambda: engine.generate("Once", seed=1, max_length=3), lambda: engine.generate("Once", top_k=-1),
                         lambda: engine.decode(engine.encode(text)), lambda: next(engine.stream("Once", seed=1)),
                         lambda: engine.submit("Once", seed=1, max_length=3).result(), lambda: asyncio.run(read()),
                         lambda: engine.score("Once upon a time"), lambda: engine.logits([[1, 2]]), engine.stats,
                         lambda: chorus.Engine(threads=1).encode("Once")):
                def once(call=call):
                    begun.append(call)
                    work(call)
                threading.Thread(target=once, daemon=True).start()
            while len(begun) < 10:
                time.sleep(0.01)
            time.sleep(0.3)
            print("end", flush=True)
        """)
        assert (code, output.split()) == (0, ["end"]), output


def resident_kilobytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def test_nothing_leaks():
    """LEAK_GENERATIONS (default 600): how many are made; the first half warms up. What is kept for later may grow for a
    while, and then there is another half; what is lost grows in each."""
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
        sizes = [resident_kilobytes()]
        for _ in range(8):
            some(generations - generations // 2)
            sizes.append(resident_kilobytes())
            if sizes[-1] < sizes[-2] * 1.02:
                break
    print(f"after each {generations // 2} generations: {sizes} kB")
    assert sizes[-1] < sizes[-2] * 1.02
