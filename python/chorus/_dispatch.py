"""Threads that hand news of jobs to whoever waits for them: futures and asyncio's loops.

The engine's own thread only puts a key into a queue, so that it never waits for Python. One thread reads the queue;
what may take its time there (callbacks of futures, which are anybody's code) runs on others, which are started as
they are needed. All are started with the first job that needs them; in a forked child with the first of the child's own.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Optional

from . import _core
from ._errors import make_error

_MOST_WORKERS = 16  # callbacks of futures that run at once

_logger = logging.getLogger("chorus")


class Dispatcher:
    """Calls a job's handler when the job has news. Any thread may call its functions, and so may a signal's handler or
    a destructor that interrupts one of them."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._keys = itertools.count(1)
        self._handlers: dict[int, tuple[Callable[[], None], bool]] = {}
        self._queue: Optional[_core.ReadyQueue] = None
        self._thread: Optional[threading.Thread] = None
        self._closed = False
        self._work: queue.SimpleQueue[Optional[tuple[int, Callable[[], None]]]] = queue.SimpleQueue()  # None: no more
        self._idle = threading.Semaphore(0)  # workers that wait for work which nobody has promised them
        self._workers: list[threading.Thread] = []  # made by the thread that reads the queue
        self._handed_over: dict[int, None] = {}  # keys of what workers do or will do

    def add(self, handler: Callable[[], None], brief: bool = True) -> tuple[_core.ReadyQueue, int]:
        """A queue and a key for a job, whose news call `handler` until discard(): on the thread that reads the queue
        if it is brief, else on another."""
        read, key = self._begun(), next(self._keys)
        self._handlers[key] = (handler, brief)
        return read, key

    def discard(self, key: int) -> None:
        self._handlers.pop(key, None)

    def _begun(self) -> _core.ReadyQueue:
        """The queue, with a thread that reads it."""
        with self._lock:  # which this thread may have already
            if self._queue is None:
                if self._closed:
                    raise make_error("unavailable", "the interpreter is ending")
                made = _core.ready_queue()
                thread = threading.Thread(target=self._run, args=(made,), name="chorus-dispatch", daemon=True)
                if self._queue is None:  # (else what interrupted this function has begun it)
                    self._queue, self._thread = made, thread
                    try:
                        thread.start()
                    except BaseException:
                        made.close()
                        self._queue = self._thread = None
                        raise
            return self._queue

    def close(self) -> None:
        """Lets what has been told be done, for two seconds at most, and begins nothing more."""
        end = time.monotonic() + 2.0
        while self._handed_over or not all(brief for _, brief in list(self._handlers.values())):
            if time.monotonic() > end:
                break
            time.sleep(0.005)
        with self._lock:
            self._closed = True
            read, thread = self._queue, self._thread
        if read is not None and thread is not None:
            read.close()
            thread.join()
        for _ in self._workers:
            self._work.put(None)
        for worker in self._workers:  # (one may be in somebody's callback, which does not end)
            worker.join(max(0.0, end - time.monotonic()))

    def _run(self, read: _core.ReadyQueue) -> None:
        while keys := read.take():
            for key in keys:
                handler, brief = self._handlers.get(key, (None, True))
                if handler is None:
                    continue
                if brief:
                    _call(handler)
                else:
                    self._hand_over(key, handler)

    def _hand_over(self, key: int, handler: Callable[[], None]) -> None:
        self._handed_over[key] = None
        self._work.put((key, handler))
        if self._idle.acquire(blocking=False) or len(self._workers) == _MOST_WORKERS:
            return
        worker = threading.Thread(target=self._work_on, name="chorus-callbacks", daemon=True)
        try:
            worker.start()
            self._workers.append(worker)
        except RuntimeError:  # no more threads: those that there are have more to do
            if not self._workers:
                self._work_once()

    def _work_on(self) -> None:
        while self._work_once():
            self._idle.release()

    def _work_once(self) -> bool:
        work = self._work.get()
        if work is None:
            return False
        key, handler = work
        _call(handler)
        self._handed_over.pop(key, None)
        return True


def _call(handler: Callable[[], None]) -> None:
    """What a handler raises must not end the thread: others wait for it."""
    try:
        handler()
    except BaseException:
        _logger.exception("exception in a callback")


dispatcher = Dispatcher()

# Closes each engine that there is.
closers: dict[int, Callable[[], None]] = {}


def _end() -> None:
    for close in list(closers.values()):
        close()
    dispatcher.close()
    _core.end()


# Threads inside of the library must not be met by the interpreter's end.
atexit.register(_end)


def _forked() -> None:
    global dispatcher
    _core.forked()
    dispatcher = Dispatcher()


os.register_at_fork(after_in_child=_forked)
