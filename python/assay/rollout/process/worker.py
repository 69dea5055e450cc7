"""The other process: ``python -m assay.rollout.process.worker FD`` samples what it is asked for over a pipe.

It ends when the pipe does, so a trainer that is killed leaves nothing behind. Messages are tuples whose first item says
what they are; ``Start`` comes first.
"""

from __future__ import annotations

import shutil
import sys
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, cast

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from assay.errors import AssayError
from assay.rollout.local import LocalGenerator
from assay.rollout.process.weights import SharedWeights, layout_of

if TYPE_CHECKING:
    from torch import nn

    from assay.rollout.process.messages import Request, Start


class _Worker:
    """Takes messages between batches, so that new weights reach completions that have not begun."""

    def __init__(self, pipe: Connection, start: Start) -> None:
        self._pipe = pipe
        if start.threads:
            torch.set_num_threads(start.threads)
        config = AutoConfig.from_pretrained(start.folder)
        made = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation=start.attention)
        model = cast("PreTrainedModel", made.eval())
        for parameter in model.parameters():
            # Parameter by parameter, as the learner does: buffers such as rotary frequencies stay in float32.
            parameter.data = parameter.data.to(getattr(torch, start.dtype))
        self._parameters = dict(model.named_parameters())
        self._weights = SharedWeights(start.folder / "weights", layout_of(self._parameters))
        cast("nn.Module", model).to(start.device)
        self._generator = LocalGenerator(model, token_budget=start.token_budget, shares_weights=True)
        self._waiting: deque[Request] = deque()
        self._cancelled: set[int] = set()

    def run(self) -> None:
        """Answers requests until the pipe ends."""
        while True:
            self._listen(block=not self._waiting)
            request = self._waiting.popleft()
            try:
                self._answer(request)
            except AssayError as error:
                self._pipe.send(("error", request.number, error))

    def _answer(self, request: Request) -> None:
        groups = self._generator.generate(
            request.prompts,
            group_size=request.group_size,
            sampling=request.sampling,
            seed=request.seed,
            first_group_id=request.first_group_id,
        )
        while request.number not in self._cancelled and (group := next(groups, None)) is not None:
            self._pipe.send(("group", request.number, group))
            self._listen(block=False)
        self._cancelled.discard(request.number)
        self._pipe.send(("end", request.number, None))

    def _listen(self, *, block: bool) -> None:
        while self._pipe.poll(None if block and not self._waiting else 0):
            message: tuple[str, Any] = self._pipe.recv()
            if message[0] == "request":
                self._waiting.append(message[1])
            elif message[0] == "cancel":
                self._cancelled.add(message[1])
            else:
                with torch.no_grad():
                    for name, tensor in self._weights.read():
                        self._parameters[name].copy_(tensor)
                self._generator.update_weights(message[1], list)
                self._pipe.send(("weights", message[1], None))


def main(descriptor: int) -> None:
    """Runs a worker on an inherited pipe."""
    pipe = Connection(descriptor)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        start: Start = pipe.recv()
        try:
            _Worker(pipe, start).run()
        finally:
            # Whoever asked is gone; what it left in memory would stay there.
            shutil.rmtree(start.folder, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
