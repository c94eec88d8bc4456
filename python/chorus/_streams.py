"""A text as it is made: an iterator of pieces, and one for asyncio. Dropping either cancels its request."""

from __future__ import annotations

import asyncio
import collections
import weakref
from collections.abc import Callable
from typing import Any

from . import _core, _dispatch
from ._results import Completion, Piece, piece_of

Finish = Callable[[_core.Job], "list[Completion]"]


class _Samples:
    """What a stream of either kind has made in the end."""

    @property
    def completions(self) -> list[Completion]:
        raise NotImplementedError

    @property
    def completion(self) -> Completion:
        """The first of the completions."""
        return self.completions[0]

    def __reduce__(self) -> Any:
        raise TypeError("a chorus stream cannot be pickled: its text is made in this process")


class Stream(_Samples):
    """An iterator of pieces of text: ``for piece in engine.stream(...): print(piece, end="")``.

    Dropping it, leaving a ``with`` block or close() cancels what has not been made. One thread at a time
    iterates; close() may be called from any.
    """

    def __init__(self, job: _core.Job, finish: Finish) -> None:
        self._job = job
        self._finish = finish

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Piece:
        values = self._job.next()
        if values is None:
            raise StopIteration
        return piece_of(values)

    def close(self) -> None:
        """Cancels what has not been made. Pieces that are there already can still be read."""
        self._job.cancel()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def completions(self) -> list[Completion]:
        """The samples, when all have ended: waits for that."""
        return self._finish(self._job)


class AsyncStream(_Samples):
    """The same for asyncio: ``async for piece in engine.astream(...)``.

    Nothing is begun before the first piece is asked for. Cancelling the task that waits, dropping the
    iterator, leaving an ``async with`` block or aclose() cancels the request.
    """

    def __init__(self, submit: Callable[[_core.ReadyQueue, int], tuple[_core.Job, Finish]]) -> None:
        self._submit = submit  # whose job's news go to this queue under this key
        self._finish: Finish
        self._job: _core.Job | None = None
        self._pieces: collections.deque[Any] = collections.deque()
        self._ended = self._closed = False
        self._news: asyncio.Event | None = None
        self._release: Callable[[], object] = lambda: None

    def __aiter__(self) -> AsyncStream:
        return self

    def _begin(self) -> None:
        news = asyncio.Event()
        loop = asyncio.get_running_loop()

        def tell() -> None:
            try:
                loop.call_soon_threadsafe(news.set)
            except RuntimeError:  # the loop was closed: nobody waits any more
                pass

        self._news = news
        dispatcher = _dispatch.dispatcher
        queue, key = dispatcher.add(tell)
        self._release = weakref.finalize(self, dispatcher.discard, key)
        try:
            self._job, self._finish = self._submit(queue, key)
        except BaseException:
            self._release()
            raise

    async def __anext__(self) -> Piece:
        if self._job is None:
            if self._closed:
                raise StopAsyncIteration
            self._begin()
        assert self._job is not None and self._news is not None
        try:
            while not self._pieces:
                if self._ended:
                    self._release()
                    if not self._closed:
                        self._job.next()  # raises what the request has ended with
                    raise StopAsyncIteration
                # Cleared before looking: what comes after sets it again.
                self._news.clear()
                pieces, self._ended = self._job.take()
                self._pieces.extend(pieces)
                self._ended = self._ended or self._closed  # there will be no more news
                if not self._pieces and not self._ended:
                    await self._news.wait()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        return piece_of(self._pieces.popleft())

    async def aclose(self) -> None:
        """Cancels what has not been made. Pieces that are there already can still be read."""
        self._closed = True
        self._release()
        if self._job is not None:
            self._job.cancel()
        if self._news is not None:
            self._news.set()  # for another task that waits for the next piece

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    @property
    def completions(self) -> list[Completion]:
        """The samples, once the last piece was read. Errors: RuntimeError before."""
        if self._job is None or not self._job.done():
            raise RuntimeError("the stream has not ended: its last piece has not been read")
        return self._finish(self._job)
