"""The learner's side of generators that are Ray actors."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import ray
import torch
from ray.exceptions import RayActorError

from assay.errors import AssayError, UnavailableError
from assay.learner.checkpoint import atomic_folder
from assay.recipe.cluster.actors import MODEL
from assay.recipe.generation import attach
from assay.recipe.schema import LocalGeneration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from assay.learner.policy import Policy
    from assay.recipe.schema import Recipe
    from assay.rollout import Generator, NamedTensors, RolloutGroup, SamplingParams, TokenIds

_LOG = logging.getLogger(__name__)
# Calls that one engine has before it: the next batch is there when one ends.
_WINDOW = 2
_PARTS_PER_ENGINE = 2
_POLL_S = 0.5


def open_cluster_generator(recipe: Recipe, policy: Policy, folder: Path, actors: Sequence[Any]) -> Generator:
    """Starts the generators of a run and gives them the policy's weights.

    Raises:
        UnavailableError: One does not come up, or does not take the weights.
    """
    model = folder / MODEL
    if not model.is_dir():
        with atomic_folder(model) as partial:
            policy.export(partial)
    config = recipe.generator
    if isinstance(config, LocalGeneration):
        generator: Generator = RayGenerator(actors, ready_timeout_s=recipe.cluster.ready_timeout_s)
    else:
        try:
            servers: list[str] = ray.get([actor.start.remote() for actor in actors])
        except RayActorError as error:
            raise UnavailableError(f"an SGLang server did not come up: {error}") from error
        generator = attach(config, policy, servers or config.servers)
    generator.update_weights(0, policy.named_tensors)
    return generator


class RayGenerator:
    """Spreads prompts over engines that are Ray actors. One that dies gets its weights again when it is back.

    What it was sampling is sampled by another one, so no group is lost or there twice.

    Args:
        actors: Handles of ``EngineActor``.
        ready_timeout_s: Seconds without any engine that answers, after which there is an error.
    """

    def __init__(self, actors: Sequence[Any], *, ready_timeout_s: float) -> None:
        self._actors = list(actors)
        self._patience = ready_timeout_s
        self._latest: tuple[int, Any] = (0, None)
        self._lock = threading.Lock()
        self._aborts = 0

    @property
    def weight_version(self) -> int:
        """Version given by the last ``update_weights``; 0 before the first."""
        return self._latest[0]

    def update_weights(self, version: int, named_tensors: NamedTensors) -> None:
        """Puts the weights into Ray's store once, and has every engine that lives take them.

        Raises:
            UnavailableError: No engine took them in time.
        """
        weights = {
            name: tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
            for name, tensor in named_tensors()
        }
        with self._lock:
            self._latest = (version, ray.put(weights))
        deadline = time.monotonic() + self._patience
        while not any([self._push(actor) for actor in self._actors]):  # noqa: C419 - every one is to get them
            if time.monotonic() > deadline:
                raise UnavailableError(f"no generator took the weights of version {version}")
            time.sleep(_POLL_S)

    def generate(
        self,
        prompts: Sequence[TokenIds],
        *,
        group_size: int,
        sampling: SamplingParams,
        seed: int,
        first_group_id: int = 0,
    ) -> Iterator[RolloutGroup]:
        """See ``Generator.generate``."""
        aborts = self._aborts
        size = max(1, -(-len(prompts) // (_PARTS_PER_ENGINE * len(self._actors))))
        waiting = deque(range(0, len(prompts), size))
        running: dict[Any, tuple[int, int]] = {}
        again = [0.0] * len(self._actors)
        answered = time.monotonic()
        while (waiting or running) and self._aborts == aborts:
            for number, actor in enumerate(self._actors):
                busy = sum(other == number for other, _ in running.values())
                while waiting and busy < _WINDOW and time.monotonic() >= again[number]:
                    start = waiting.popleft()
                    call = actor.sample.remote(
                        self._latest[0],
                        list(prompts[start : start + size]),
                        group_size=group_size,
                        sampling=sampling,
                        seed=seed,
                        first=first_group_id + start,
                    )
                    running[call] = (number, start)
                    busy += 1
            done, _ = ray.wait(list(running), num_returns=1, timeout=_POLL_S) if running else ([], [])
            if not running:
                time.sleep(_POLL_S)
            for call in done:
                number, start = running.pop(call)
                groups = self._answer(call, number)
                if groups is None:
                    waiting.append(start)
                    again[number] = time.monotonic() + _POLL_S
                    continue
                answered = time.monotonic()
                yield from groups
            if time.monotonic() - answered > self._patience:
                raise UnavailableError(f"no generator answered for {self._patience:g} s")

    def abort(self) -> None:
        """Ends the iterations in progress without what is under way."""
        self._aborts += 1

    def close(self) -> None:
        """The actors belong to whoever made them."""

    def _answer(self, call: Any, number: int) -> list[RolloutGroup] | None:
        """The groups of a call; ``None`` if it is to be made again."""
        try:
            groups: list[RolloutGroup] | AssayError | None = ray.get(call)
        except RayActorError:
            _LOG.warning("generator %d is gone; its prompts are sampled again", number)
            return None
        if groups is None:
            self._push(self._actors[number])  # it was started again and has no weights
        elif isinstance(groups, AssayError):
            raise groups
        return groups

    def _push(self, actor: Any) -> bool:
        version, weights = self._latest
        try:
            ray.get(actor.take.remote(version, weights))
        except RayActorError:
            return False
        return True
