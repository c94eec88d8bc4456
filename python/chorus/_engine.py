"""A model that generates and scores, for any number of threads at once."""

from __future__ import annotations

import collections
import concurrent.futures
import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from . import _core, _dispatch
from ._errors import ChorusError, UnsupportedError, by_argument, invalid, make_error, shown
from ._inputs import Array, IdArray, Plain, Prompt, flag, id_array, is_array, is_batch, opened, utf8, whole, word
from ._models import explain, locate, path_of
from ._options import Options, checked
from ._results import Completion, ModelInfo, Score, Stats, Usage, tokens_of
from ._streams import AsyncStream, Finish, Stream

if TYPE_CHECKING:
    from typing_extensions import Unpack


def _next_seed(seed: int, steps: int) -> int:
    """Of 64 bits: 0 follows the last."""
    return seed + steps if seed + steps < 2**64 else seed + steps - 2**64


def _drop(core: _core.Engine) -> None:
    _dispatch.closers.pop(id(core), None)
    core.close()


class _Future(concurrent.futures.Future[Any]):
    """One that does not wait in a forked child for the parent's threads."""

    def __init__(self) -> None:
        super().__init__()
        self._process = os.getpid()

    def result(self, timeout: float | None = None) -> Any:
        self._check()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._check()
        return super().exception(timeout)

    def _check(self) -> None:
        if os.getpid() != self._process and not self.done():
            raise make_error("unavailable", "the request was submitted before this process was forked, and its result "
                                            "is the parent's")


class Engine:
    """A loaded model: one copy of the weights, which any number of threads use at once.

    Every call gives the lock up while it waits, so other Python threads run. What a call gives does not
    depend on what else runs: the same prompt and seed give the same text, bit for bit. Ctrl-C ends any call.

    Arguments:
        model: the path of a checkpoint or folder, recognised by its content; else a name (``"gpt2"``,
            ``"hf:owner/name"``), fetched once by huggingface_hub. None: the small storyteller inside the package.
        dtype: how weights are held and multiplied: ``"f32"``, ``"bf16"`` (activations rounded to bf16, too),
            ``"bf16-f32"`` (they are not), ``"int8"`` or ``"int4"``. None: as they are stored, so that nothing is
            lost: ``"bf16-f32"`` for a checkpoint of bf16.
        threads: that compute. None: one for each processor that this process may use.
        kv_memory: bytes, at most, for keys and values. None: a quarter of the memory that is free.
        prefix_cache: keep keys and values of texts for others that begin alike.
        max_queue: samples that may wait; more are refused (OverloadedError).
        step_rows: tokens of one step, at most; also the most samples that run.
        pin_threads: each to a processor of its own, if they take all that there are.
        allow_nonfinite: accept NaN and infinite weights.
        tokenizer: ``"gpt2"``, ``"none"``, or the path of one. None: the checkpoint's own.
        activation: ``"gelu"``, ``"gelu_new"`` or ``"relu"``, whatever the file says.
        n_head: where the file does not state it.

    Errors: NotFoundError, CorruptError, UnsupportedError, InputOutputError, NetworkError, InvalidArgumentError,
    with a message that names the file, the tensor or field, what was found and what was expected.

    An engine belongs to the process that loaded it: after os.fork() the child cannot use it (UnavailableError),
    and it cannot be pickled. ``with Engine(...) as engine:`` or close() frees it at once.
    """

    def __init__(self, model: str | os.PathLike[str] | None = None, *, dtype: str | None = None,
                 threads: int | None = None, kv_memory: int | None = None, prefix_cache: bool = True,
                 max_queue: int = 1024, step_rows: int = 256, pin_threads: bool = True,
                 allow_nonfinite: bool = False, tokenizer: str | os.PathLike[str] | None = None,
                 activation: str | None = None, n_head: int | None = None) -> None:
        counts = {"threads": threads, "kv_memory": kv_memory, "max_queue": max_queue, "step_rows": step_rows,
                  "n_head": n_head}
        for name, value in counts.items():
            if value is not None or name in ("max_queue", "step_rows"):
                whole(value, name, 1)
        for name, value in {"prefix_cache": prefix_cache, "pin_threads": pin_threads,
                            "allow_nonfinite": allow_nonfinite}.items():
            flag(value, name)
        if dtype is not None:
            dtype = word(dtype, "dtype", "f32, bf16, bf16-f32, int8 or int4")
        if activation is not None:
            activation = word(activation, "activation", "gelu, gelu_new or relu")
        try:
            self._core = _core.load(
                locate(model), dtype=dtype, threads=threads or 0, pin_threads=bool(pin_threads),
                kv_memory=kv_memory or 0, prefix_cache=bool(prefix_cache), max_queue=max_queue, step_rows=step_rows,
                allow_nonfinite=bool(allow_nonfinite),
                tokenizer=None if tokenizer is None else path_of(tokenizer, "tokenizer", 'a path, "gpt2" or "none"'),
                activation=activation, n_head=n_head)
        except UnsupportedError as error:
            raise explain(error) from None
        # Also at the end of the interpreter, before threads that wait could meet it.
        _dispatch.closers[id(self._core)] = self._core.close
        weakref.finalize(self, _drop, self._core)
        info = self._core.info()
        info["notes"] = tuple(by_argument(note) for note in info["notes"])
        self.info: ModelInfo = ModelInfo(**info)

    def __repr__(self) -> str:
        state = ", closed" if self._core.closed() else ""
        return (f"<chorus.Engine {self.info.path!r}, {self.info.parameters / 1e6:.1f}M parameters, "
                f"{self.info.dtype}, {self.info.threads} threads{state}>")

    # --- Text.

    # (A str is a sequence of them, too, which mypy calls an overlap: what stands first is taken.)
    @overload
    def encode(self, text: str, *, special: bool = False) -> list[int]: ...  # type: ignore[overload-overlap]
    @overload
    def encode(self, text: Sequence[str] | Array, *, special: bool = False) -> list[list[int]]: ...

    def encode(self, text: Any, *, special: bool = False) -> Any:
        """The ids of a text, or of each of several.

        With `special`, the name of a special token in the text (``"<|endoftext|>"``) is the token, not its
        letters. Errors: UnsupportedError for a model without a tokenizer.
        """
        special = flag(special, "special")
        if isinstance(text, str):
            return self._core.encode(utf8(text, "text").decode(), special)
        text = opened(text, "text")
        if isinstance(text, Sequence) and not isinstance(text, (bytes, bytearray)):
            return [self._core.encode(utf8(one, f"text[{i}]").decode(), special) for i, one in enumerate(text)]
        raise invalid("text", f"expected a text (str) or a list of them, found {shown(text)}")

    @overload
    def decode(self, ids: Sequence[int]) -> str: ...
    @overload
    def decode(self, ids: Sequence[Sequence[int] | Array]) -> list[str]: ...
    @overload
    def decode(self, ids: Array) -> Any: ...

    def decode(self, ids: Any) -> Any:
        """The text of ids, or of each of several lists. Bytes that are no UTF-8 become U+FFFD; an id of the vocabulary
        that no text has is ``<|id 50258|>``."""
        ids = opened(ids, "ids")
        empty = isinstance(ids, Sequence) and len(ids) == 0
        if not isinstance(ids, str) and not empty and is_batch(ids, "ids"):
            return [self._core.decode(self._ids_of(one, f"ids[{i}]")) for i, one in enumerate(ids)]
        return self._core.decode(self._ids_of(ids, "ids"))

    def token_bytes(self, id: int) -> bytes:
        """The very bytes of one id, which may be part of a character."""
        if whole(id, "id", 0) >= self.info.vocab_size:
            raise invalid("id", f"expected an id from 0 to {self.info.vocab_size - 1}, found {shown(id)}")
        return self._core.token_bytes(int(id))

    # --- Generation.

    @overload
    def generate(self, prompt: Plain, *, n: None = None,  # type: ignore[overload-overlap]
                 **options: Unpack[Options]) -> Completion: ...
    @overload
    def generate(self, prompt: Plain, *, n: int,  # type: ignore[overload-overlap]
                 **options: Unpack[Options]) -> list[Completion]: ...
    @overload
    def generate(self, prompt: Sequence[Prompt], *, n: None = None,
                 **options: Unpack[Options]) -> list[Completion]: ...
    @overload
    def generate(self, prompt: Sequence[Prompt], *, n: int, **options: Unpack[Options]) -> list[list[Completion]]: ...
    @overload
    def generate(self, prompt: Array, *, n: int | None = None, **options: Unpack[Options]) -> Any: ...

    def generate(self, prompt: Any, *, n: int | None = None, **options: Any) -> Any:
        """Continues a prompt: a text, or ids; a list of prompts gives a list, all made at once.

        With `n`, so many samples of each prompt, as a list, with seeds seed, seed + 1, ... The other options
        are those of help(chorus.Options): max_length, max_new_tokens, seed, temperature, top_k, top_p, min_p,
        repetition_penalty, stop, logprobs, loop, ...

        Errors: InvalidArgumentError, whose ``field`` is the argument's name; OverloadedError.
        """
        options = checked("generate", options)
        prompt = opened(prompt, "prompt")
        if not is_batch(prompt, "prompt"):
            samples = self._run([prompt], n, options, "prompt")
            return next(samples) if n is not None else next(samples)[0]
        names = "prompt[{}]"
        results = list(self._run(prompt, n, options, names))
        return results if n is not None else [samples[0] for samples in results]

    def stream(self, prompt: Prompt, *, n: int | None = None, **options: Unpack[Options]) -> Stream:
        """The same of one prompt as an iterator of pieces of text, each there as soon as it is certain.

        Dropping the iterator cancels what has not been made.
        """
        options_dict = checked("stream", options)
        job, finish = self._submit(prompt, n, options_dict, "prompt", streams=True)
        return Stream(job, finish)

    def astream(self, prompt: Prompt, *, n: int | None = None, **options: Unpack[Options]) -> AsyncStream:
        """The same for asyncio: ``async for piece in engine.astream(...)``.

        Dropping the iterator, or cancelling the task that waits for it, cancels what has not been made.
        """
        options_dict = checked("astream", options)

        def begin(queue: _core.ReadyQueue, key: int) -> tuple[_core.Job, Finish]:
            return self._submit(prompt, n, options_dict, "prompt", streams=True, queue=queue, key=key)

        return AsyncStream(begin)

    @overload
    def submit(self, prompt: Prompt, *, n: None = None,
               **options: Unpack[Options]) -> concurrent.futures.Future[Completion]: ...
    @overload
    def submit(self, prompt: Prompt, *, n: int,
               **options: Unpack[Options]) -> concurrent.futures.Future[list[Completion]]: ...

    def submit(self, prompt: Any, *, n: int | None = None, **options: Any) -> Any:
        """Begins to continue one prompt, and returns a Future of what generate() would give.

        The future's cancel() cancels the request.
        """
        options = checked("submit", options)
        future = _Future()
        lock = threading.Lock()
        begun: list[tuple[_core.Job, Finish]] = []

        def deliver() -> None:  # when the job has ended, and submit() returned: whichever is later
            with lock:
                if not begun or not begun[0][0].done():
                    return
                job, finish = begun.pop()
            dispatcher.discard(key)
            if not future.set_running_or_notify_cancel():
                return
            try:
                samples = finish(job)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(samples if n is not None else samples[0])

        dispatcher = _dispatch.dispatcher
        queue, key = dispatcher.add(deliver, brief=False)
        try:
            job, finish = self._submit(prompt, n, options, "prompt", streams=False, queue=queue, key=key)
            future.add_done_callback(lambda ended: job.cancel() if ended.cancelled() else None)
            with lock:
                begun.append((job, finish))
            deliver()
        except BaseException:  # (Ctrl-C, too, whose traceback must not keep a request that nobody waits for)
            dispatcher.discard(key)
            future.cancel()
            raise
        return future

    # --- Scores and logits.

    @overload
    def score(self, text: Plain, *, bos: bool = False, stride: int = 0,  # type: ignore[overload-overlap]
              special: bool = False, rank_and_entropy: bool = False) -> Score: ...
    @overload
    def score(self, text: Sequence[Prompt], *, bos: bool = False, stride: int = 0, special: bool = False,
              rank_and_entropy: bool = False) -> list[Score]: ...
    @overload
    def score(self, text: Array, *, bos: bool = False, stride: int = 0, special: bool = False,
              rank_and_entropy: bool = False) -> Any: ...

    def score(self, text: Any, *, bos: bool = False, stride: int = 0, special: bool = False,
              rank_and_entropy: bool = False) -> Any:
        """The log-probability of every token of a text (or ids), or of each of several.

        With `bos`, what begins a text is put in front, so that the first token has one, too. A text longer than
        the block is read in windows that start `stride` tokens apart (0: half the block). A byte order mark in front
        of a text is no part of it. Errors: InvalidArgumentError, also for a text without a token.
        """
        text = opened(text, "text")
        batch = is_batch(text, "text")
        scored = self._score(list(text) if batch else [text], "text[{}]" if batch else "text", bos, stride, special,
                             flag(rank_and_entropy, "rank_and_entropy"), None)
        scores = [score for score, _ in scored]
        return scores if batch else scores[0]

    def _score(self, texts: Sequence[Any], names: str, bos: bool, stride: int, special: bool, rank_and_entropy: bool,
               boundary: str | None) -> list[tuple[Score, Any]]:
        """Of each text its score and, with a boundary, its words as the library has them."""
        bos, special = flag(bos, "bos"), flag(special, "special")
        stride = whole(stride, "stride", 0)
        if stride > self.info.block_size:  # which the library names, too, but not what does not fit there
            raise invalid("stride", f"expected 1 to {self.info.block_size} (the model's block size), found {stride}")
        ids = [self._ids_to_score(one, special, names.format(i)) for i, one in enumerate(texts)]
        results = []
        for one, values in zip(ids, self._core.score(ids, bos, stride, rank_and_entropy, boundary)):
            logprobs, contexts, loss, scored, ranks, entropies, words = values
            context = np.array(contexts, np.int32)
            logprob = np.array(logprobs, np.float64)
            logprob[context == 0] = np.nan
            entropy = np.array(entropies, np.float64) / np.log(2.0)
            entropy[context[:len(entropy)] == 0] = np.nan
            score = Score(one.tolist(), logprob, context, loss if scored else float("nan"),
                          np.array(ranks, np.int32) if rank_and_entropy else None,
                          entropy if rank_and_entropy else None)
            results.append((score, words))
        return results

    def logits(self, ids: Any) -> npt.NDArray[np.float32]:
        """The model's logits at every position, with the very bits that generation draws from.

        `ids`: whole numbers of shape (T,) or (B, T), T at most the block; a list, a NumPy array, or anything with
        ``__array__`` or DLPack. Gives float32 of shape (T, V) or (B, T, V); position t predicts token t + 1.
        """
        ids = opened(ids, "ids")
        dimensions = 2 if is_batch(ids, "ids") else 1
        array = self._checked_ids(ids, "ids", dimensions)
        logits: npt.NDArray[np.float32] = self._core.logits(np.atleast_2d(array))
        return logits if dimensions == 2 else logits[0]

    def _checked_ids(self, ids: Any, field: str, dimensions: int) -> IdArray:
        array = id_array(ids, field, dimensions, self.info.vocab_size)
        if array.shape[-1] > self.info.block_size:
            raise invalid(field, f"expected at most {self.info.block_size} tokens (the model's block size), "
                                 f"found {array.shape[-1]}")
        return np.ascontiguousarray(array, np.int32)

    # --- The engine itself.

    def stats(self) -> Stats:
        """Counts since the engine was loaded, and its state now."""
        return Stats(**self._core.stats())

    def close(self) -> None:
        """Ends what runs (UnavailableError there) and frees the model. Calling it again does nothing."""
        self._core.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("a chorus.Engine cannot be pickled or copied: it belongs to the process that loaded it; "
                        "load the model in the other one (multiprocessing: in an initializer)")

    # --- Inside.

    def _ids(self, prompt: Any, special: bool, field: str) -> IdArray:
        if isinstance(prompt, str):
            ids = self._core.encode(utf8(prompt, field).decode(), special)
            return np.array(ids or [self._core.bos()], np.int32)
        if isinstance(prompt, (bytes, bytearray)):
            raise invalid(field, f"expected a text (str) or ids, found {type(prompt).__name__}: decode it first")
        if not is_array(prompt) and not isinstance(prompt, Iterable):
            raise invalid(field, f"expected a text (str) or ids, found {shown(prompt)}")
        if isinstance(prompt, Sequence) and len(prompt) > 0 and isinstance(prompt[0], str):
            raise invalid(field, f"expected one text (str) or its ids, found {shown(prompt)}")
        return self._ids_of(prompt, field)

    def _ids_of(self, values: Any, field: str) -> IdArray:
        return np.ascontiguousarray(id_array(values, field, 1, self.info.vocab_size), np.int32)

    def _ids_to_score(self, text: Any, special: bool, field: str) -> IdArray:
        if isinstance(text, str):
            ids = np.array(self._core.encode_to_score(utf8(text, field).decode(), special), np.int32)
        else:
            ids = self._ids(text, special, field)
        if ids.size == 0:
            raise invalid(field, "expected at least one token, found none")
        return ids

    def _submit(self, prompt: Any, n: int | None, options: dict[str, Any], field: str, *, streams: bool,
                queue: _core.ReadyQueue | None = None, key: int = 0) -> tuple[_core.Job, Finish]:
        """A job, and what makes its samples of it."""
        fields = dict(options)
        special = flag(fields.pop("special", False), "special")
        ids = self._ids(prompt, special, field)
        fields["n"] = n
        job = self._core.submit(ids, fields, streams, queue, key)
        seed = int(fields["seed"])
        step = 0 if fields.get("one_stream") else 1

        def finish(job: _core.Job) -> list[Completion]:
            text = prompt if isinstance(prompt, str) else self._core.decode(ids)
            return [Completion(text=values[1], ids=values[0], prompt=text, prompt_ids=ids.tolist(),
                               finish_reason=values[2], seed=_next_seed(seed, i * step), usage=Usage(*values[3]),
                               tokens=tokens_of(values[4]), prompt_tokens=tokens_of(values[5]))
                    for i, values in enumerate(job.result())]

        return job, finish

    def _run(self, prompts: Sequence[Any], n: int | None, options: dict[str, Any],
             names: str) -> Iterator[list[Completion]]:
        """The samples of each prompt in order; as many are under way as may wait beside others'."""
        most = max(1, self._core.max_queue() // 2 // (n if isinstance(n, int) and n > 0 else 1))
        under_way: collections.deque[tuple[_core.Job, Finish]] = collections.deque()
        try:
            for i, prompt in enumerate(prompts):
                if len(under_way) >= most:
                    job, finish = under_way[0]
                    yield finish(job)
                    under_way.popleft()
                try:
                    under_way.append(self._submit(prompt, n, options, names.format(i), streams=False))
                except ChorusError as error:
                    message = str(error)
                    if names == "prompt" or not message.startswith("prompt: "):  # (or it has its place already)
                        raise
                    message = message.replace("prompt", names.format(i), 1)
                    raise make_error(error.code, message, "prompt") from None
            while under_way:
                job, finish = under_way[0]
                yield finish(job)
                under_way.popleft()
        except BaseException:
            # Whoever keeps the exception keeps, by its traceback, these jobs, too: dropping them would not be enough.
            for job, _ in under_way:
                job.cancel()
            raise
