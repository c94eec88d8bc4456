"""One thread that hands news of jobs to whoever waits for them: futures and asyncio's loops.

The engine's own thread only puts a key into a queue, so that it never waits for Python. The thread is
started with the first job that needs it; in a forked child with the first of the child's own.
"""

from __future__ import annotations

import atexit
import itertools
import os
import threading
from collections.abc import Callable
from typing import Optional

from . import _core


class Dispatcher:
    """Calls a job's handler, on its thread, when the job has news. Any thread may call its functions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys = itertools.count(1)
        self._handlers: dict[int, Callable[[], None]] = {}
        self._queue: Optional[_core.ReadyQueue] = None
        self._thread: Optional[threading.Thread] = None

    def add(self, handler: Callable[[], None]) -> tuple[_core.ReadyQueue, int]:
        """A queue and a key for a job, whose news call `handler`, which must be brief, until discard()."""
        with self._lock:
            if self._queue is None:
                self._queue = _core.ready_queue()
                self._thread = threading.Thread(target=self._run, args=(self._queue,), name="chorus-dispatch",
                                                daemon=True)
                self._thread.start()
            key = next(self._keys)
            self._handlers[key] = handler
            return self._queue, key

    def discard(self, key: int) -> None:
        self._handlers.pop(key, None)

    def close(self) -> None:
        with self._lock:
            queue, thread = self._queue, self._thread
            self._queue = self._thread = None
        if queue is not None and thread is not None:
            queue.close()
            thread.join()

    def _run(self, queue: _core.ReadyQueue) -> None:
        while keys := queue.take():
            for key in keys:
                handler = self._handlers.get(key)
                if handler is not None:
                    handler()


dispatcher = Dispatcher()


def _end() -> None:
    dispatcher.close()
    _core.let_waiting_return()


# Threads that wait here must not be met by the interpreter's end. (What is registered first runs last:
# engines close before.)
atexit.register(_end)


def _forked() -> None:
    global dispatcher
    dispatcher = Dispatcher()


os.register_at_fork(after_in_child=_forked)
