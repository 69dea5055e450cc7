"""`ProcessGenerator`: the local engine in a process of its own."""

from __future__ import annotations

import itertools
import logging
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from assay.errors import AssayError, InvalidInputError, UnavailableError
from assay.rollout.process.messages import Request, Start
from assay.rollout.process.weights import SharedWeights, layout_of, memory_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedModel

    from assay.rollout.types import NamedTensors, RolloutGroup, SamplingParams, TokenIds

_ATTENTION = "_attn_implementation"  # what transformers calls its choice; it has no public name
_LOG = logging.getLogger(__name__)
_Answer = tuple[str, Any]


class ProcessGenerator:
    """Completes prompts as ``LocalGenerator`` does, in another process, while this one trains.

    Weights travel through memory that both processes map. The worker takes them between two batches of its own, so
    every completion is sampled by one version from its first token to its last, and says by which. A worker that dies is
    started again with the last weights and samples again what was not finished; nothing is lost or there twice. It ends
    with ``close`` or when this process is gone.

    With the same weights, prompts, seed and number of torch threads the completions are those of ``LocalGenerator``.

    Args:
        model: A transformers causal language model; the worker makes one of the same configuration.
        token_budget: Tokens (prompt and completion, over all rows) that one batch may hold in its cache.
        threads: Torch threads of the worker; 0 leaves torch's own choice.
        device: Where the worker's model runs; the model's own device by default.
        max_restarts: How often a worker that died is started again.

    Raises:
        InvalidInputError: ``token_budget`` is not positive.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        token_budget: int = 65_536,
        threads: int = 0,
        device: str | None = None,
        max_restarts: int = 3,
    ) -> None:
        if token_budget < 1:
            raise InvalidInputError(f"generator.token_budget is {token_budget}: give a positive count of tokens")
        self._folder = Path(tempfile.mkdtemp(prefix="assay-weights-", dir=memory_folder()))
        parameters = dict(model.named_parameters())
        model.config.save_pretrained(self._folder)
        self._weights = SharedWeights(self._folder / "weights", layout_of(parameters))
        self._start = Start(
            folder=self._folder,
            dtype=str(next(iter(parameters.values())).dtype).removeprefix("torch."),
            attention=str(getattr(model.config, _ATTENTION)),
            device=str(model.device) if device is None else device,
            token_budget=token_budget,
            threads=threads,
        )
        self._restarts_left = max_restarts
        self._numbers = itertools.count()
        self._state = threading.Condition()
        self._sending = threading.Lock()
        self._open: dict[int, tuple[Request, queue.SimpleQueue[_Answer]]] = {}
        self._version, self._taken = 0, True
        self._failure: str | None = None
        self._weights.write((name, tensor.detach()) for name, tensor in parameters.items())
        self._process, self._pipe = self._launch()
        self._reader = threading.Thread(target=self._read, name="rollout-process", daemon=True)
        self._reader.start()

    @property
    def weight_version(self) -> int:
        """Version given by the last ``update_weights``; 0 before the first."""
        return self._version

    @property
    def pid(self) -> int:
        """Process id of the worker; changes when it is started again."""
        return self._process.pid

    def update_weights(self, version: int, named_tensors: NamedTensors) -> None:
        """Puts weights where the worker takes them; completions that begin from now on are sampled by them.

        Waits only for the worker to have taken the weights before these.

        Raises:
            InvalidInputError: A name or shape is not the model's.
            UnavailableError: The worker died too often.
        """
        with self._state:
            self._state.wait_for(lambda: self._taken or self._failure is not None)
            self._check()
            self._weights.write(named_tensors())
            self._version, self._taken = version, False
            worker = self._process
        self._send(("weights", version), worker)

    def generate(
        self,
        prompts: Sequence[TokenIds],
        *,
        group_size: int,
        sampling: SamplingParams,
        seed: int,
        first_group_id: int = 0,
    ) -> Iterator[RolloutGroup]:
        """See ``Generator.generate``. Requests of several threads are served in turn."""
        answers: queue.SimpleQueue[_Answer] = queue.SimpleQueue()
        request = Request(next(self._numbers), list(prompts), group_size, sampling, seed, first_group_id)
        with self._state:
            self._check()
            self._open[request.number] = (request, answers)
            worker = self._process
        self._send(("request", request), worker)
        return self._results(request.number, answers)

    def abort(self) -> None:
        """Ends the iterations in progress after the batch in hand; groups that are not whole by then are not yielded."""
        with self._state:
            numbers, worker = list(self._open), self._process
        for number in numbers:
            self._send(("cancel", number), worker)

    def close(self) -> None:
        """Ends the worker. Calling it twice is harmless."""
        with self._state:
            self._failure = self._failure or "the generator was closed"
            self._restarts_left = 0
            self._fail_all()
            self._process.kill()
        if threading.current_thread() is not self._reader:
            self._reader.join()
        self._process.wait()
        self._pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _results(self, number: int, answers: queue.SimpleQueue[_Answer]) -> Iterator[RolloutGroup]:
        seen: set[int] = set()
        try:
            while True:
                kind, content = answers.get()
                if kind == "end":
                    return
                if kind == "error":
                    raise content
                # A worker that was started again samples the whole request again.
                if content.group_id not in seen:
                    seen.add(content.group_id)
                    yield content
        finally:
            with self._state:
                left, worker = self._open.pop(number, None) is not None, self._process
            if left:
                self._send(("cancel", number), worker)

    # -- the process ---------------------------------------------------------------------------------------------

    def _launch(self) -> tuple[subprocess.Popen[bytes], Connection]:
        ours, theirs = socket.socketpair()
        with theirs:
            # A session of its own: Ctrl-C is the trainer's to answer, which still wants its step finished.
            process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "assay.rollout.process.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        pipe = Connection(ours.detach())
        pipe.send(self._start)
        pipe.send(("weights", self._version))
        self._taken = False
        return process, pipe

    def _send(self, message: tuple[str, Any], worker: subprocess.Popen[bytes]) -> None:
        """To the worker, unless another has taken its place, which was told everything that still holds.

        Never called with the state locked: a worker with a full pipe reads again only after its answers were read.
        """
        with self._sending, suppress(OSError):
            if self._process is worker:
                self._pipe.send(message)

    def _check(self) -> None:
        if self._failure is not None:
            raise UnavailableError(self._failure)

    def _read(self) -> None:
        while True:
            try:
                kind, number, content = self._pipe.recv()
            except (EOFError, OSError):
                if not self._restart():
                    return
                continue
            with self._state:
                if kind == "weights":
                    self._taken = number == self._version
                    self._state.notify_all()
                    continue
                if number in self._open:
                    self._open[number][1].put((kind, content))
                    if kind != "group":
                        del self._open[number]

    def _restart(self) -> bool:
        status = self._process.wait()
        with self._state:
            if self._restarts_left <= 0 or self._failure is not None:
                self._failure = self._failure or f"the process that samples ended too often, last with status {status}"
                self._fail_all()
                return False
            self._restarts_left -= 1
            with self._sending:
                self._pipe.close()
                self._process, self._pipe = self._launch()
            worker, requests = self._process, [request for request, _ in self._open.values()]
        _LOG.warning("the process that samples ended with status %d; started again", status)

        def repeat() -> None:
            for request in requests:
                self._send(("request", request), worker)

        # From a thread of its own, because this one has to read meanwhile.
        threading.Thread(target=repeat, name="rollout-process-repeat", daemon=True).start()
        return True

    def _fail_all(self) -> None:
        error: AssayError = UnavailableError(str(self._failure))
        for _, answers in self._open.values():
            answers.put(("error", error))
        self._open.clear()
        self._state.notify_all()
