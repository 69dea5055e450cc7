"""The driver of a run on Ray: reserves, places, starts, and brings the learner back."""

from __future__ import annotations

import os
import random
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayActorError, RayTaskError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from assay.errors import AssayError, InvalidInputError, UnavailableError
from assay.recipe.cluster.actors import EngineActor, LearnerActor, Place, RewardActor, SGLangActor
from assay.recipe.interrupt import Interrupt
from assay.recipe.schema import LocalGeneration

if TYPE_CHECKING:
    from assay.recipe.schema import Recipe

_PORTS = range(20000, 32768)
_POLL_S = 0.5
# Seconds until it is known of all processes of a learner that they died.
_PEERS_S = 20.0
# Seconds that servers have to end.
_CLOSE_S = 15.0


def run_on_ray(recipe: Recipe, out: Path | str | None = None, *, resume: bool = False, address: str) -> dict[str, Any]:
    """Carries out a recipe on a Ray cluster.

    Args:
        recipe: From ``load_recipe``; its ``cluster`` says how many processes there are.
        out: The run folder, on a file system that all nodes see.
        resume: Go on from the newest checkpoint.
        address: ``"ray"`` for a Ray of its own on this machine, ``"ray://HOST:PORT"`` for a cluster, ``"auto"`` for the
            cluster that this machine is part of.

    Returns:
        The summary, as ``summary.json`` holds it.

    Raises:
        InvalidInputError: A file, row or setting is not as it should be.
        UnavailableError: The cluster cannot be reached or is too small, or the learner died too often.
        KeyboardInterrupt: Ctrl-C; the step in hand is checkpointed.
    """
    folder = Path(out or Path("runs") / recipe.name).absolute()
    bundles = _bundles(recipe)
    ours = not ray.is_initialized()
    if ours:
        _connect(address, bundles)
    group = placement_group(bundles, strategy=recipe.cluster.placement)
    try:
        if not group.wait(recipe.cluster.ready_timeout_s):
            raise UnavailableError(
                f"the cluster cannot hold this run: it asks for {_total(bundles)} ({len(bundles)} processes, "
                f"{recipe.cluster.placement}), and has {ray.cluster_resources()}; change [cluster] or add nodes"
            )
        # On one machine nothing has to be heard from outside.
        return _Run(recipe, folder, group, "127.0.0.1" if address == "ray" else None).carry_out(resume=resume)
    finally:
        with suppress(Exception):
            remove_placement_group(group)  # ends every actor in it
        if ours:
            ray.shutdown()


def _bundles(recipe: Recipe) -> list[dict[str, float]]:
    """What each process needs: those of the learner, then the generators, then the reward servers."""
    cluster = recipe.cluster
    learner = {"CPU": cluster.learner_cpus, "GPU": cluster.learner_gpus}
    generator = {"CPU": cluster.generator_cpus, "GPU": cluster.generator_gpus}
    rewards = {"CPU": cluster.reward_cpus}
    needs = [learner] * cluster.learners + [generator] * _generators(recipe) + [rewards] * cluster.reward_servers
    # Ray refuses a bundle of nothing.
    return [{key: value for key, value in need.items() if value} or {"CPU": 0.01} for need in needs]


def _generators(recipe: Recipe) -> int:
    config = recipe.generator
    return recipe.cluster.generators if isinstance(config, LocalGeneration) or config.launch is not None else 0


def _total(bundles: list[dict[str, float]]) -> dict[str, float]:
    return {key: sum(bundle.get(key, 0) for bundle in bundles) for key in ("CPU", "GPU")}


def _connect(address: str, bundles: list[dict[str, float]]) -> None:
    try:
        if address == "ray":
            # CPUs are only counted by Ray, not pinned: on one machine the processes of a run share what there is.
            cpus = max(os.cpu_count() or 1, int(_total(bundles)["CPU"] + 1))
            ray.init(num_cpus=cpus, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=True)
        elif address == "auto" or address.startswith("ray://"):
            _join(address)
        else:
            raise InvalidInputError(f"--on {address}: give ray (this machine), ray://HOST:PORT, or auto")
    except (ConnectionError, TimeoutError, RuntimeError, OSError) as error:
        raise UnavailableError(f"Ray at {address!r} cannot be reached: {error}") from error


def _join(address: str) -> None:
    """Three times at most: a busy head may not start a client's server within the half minute that Ray gives it.

    Ray says that by this error alone; an address where nobody listens is told at once.
    """
    for _ in range(2):
        with suppress(ConnectionAbortedError):
            ray.init(address=address, log_to_driver=True)
            return
    ray.init(address=address, log_to_driver=True)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that has its place.

    Attributes:
        recipe: What to carry out.
        folder: The run folder.
        group: The placement group.
        host: The address that all processes listen on; their node's by default.
    """

    recipe: Recipe
    folder: Path
    group: Any
    host: str | None

    def carry_out(self, *, resume: bool) -> dict[str, Any]:
        """Starts everything, waits for the end, and ends everything that was started."""
        cluster, count = self.recipe.cluster, _generators(self.recipe)
        engine = EngineActor if isinstance(self.recipe.generator, LocalGeneration) else SGLangActor
        ports = random.SystemRandom().sample(_PORTS, count + cluster.reward_servers)
        generators = [
            self._actor(engine, cluster.learners + number, "generator", restarts=-1).remote(
                Place(self.folder, "generator", number, ports[number], self.host), self.recipe
            )
            for number in range(count)
        ]
        rewards = [
            self._actor(RewardActor, cluster.learners + count + number, "reward", restarts=-1).remote(
                Place(self.folder, "rewards", number, ports[count + number], self.host),
                max(1, int(cluster.reward_cpus)),
            )
            for number in range(cluster.reward_servers)
        ]
        try:
            with Interrupt() as interrupt:
                outcome = self._learn(generators, rewards, interrupt, resume=resume)
        finally:
            _close(rewards + (generators if engine is SGLangActor else []))
        if isinstance(outcome, AssayError):
            raise outcome
        if outcome is None:
            raise KeyboardInterrupt
        return outcome

    def _learn(
        self, generators: list[Any], rewards: list[Any], interrupt: Interrupt, *, resume: bool
    ) -> dict[str, Any] | AssayError | None:
        """Has the learner carry out the run, from its last checkpoint again whenever a process of it dies."""
        cluster, deaths = self.recipe.cluster, 0
        while True:
            learners = [
                self._actor(LearnerActor, rank, "learner", restarts=0).remote(
                    Place(self.folder, "learner", rank, host=self.host),
                    self.recipe,
                    *((generators, rewards) if rank == 0 else ()),
                )
                for rank in range(cluster.learners)
            ]
            try:
                meeting = ray.get(learners[0].meeting.remote()) if cluster.learners > 1 else None
                runs = [learner.run.remote(resume=resume, meeting=meeting) for learner in learners]
                return _wait(learners, runs, interrupt)
            except RayTaskError as error:
                raise UnavailableError(f"the learner failed: {error}") from error
            except RayActorError as error:
                deaths += 1
                if deaths > cluster.learner_restarts:
                    raise UnavailableError(
                        f"the learner died {deaths} times (cluster.learner_restarts is {cluster.learner_restarts}): {error}"
                    ) from error
                # Whatever it had checkpointed is where the next one begins.
                resume = (self.folder / "recipe.toml").is_file()
                sys.stderr.write("assay: the learner died; it is started again from its last checkpoint\n")
            finally:
                for learner in learners:
                    ray.kill(learner)

    def _actor(self, kind: type, bundle: int, role: str, *, restarts: int) -> Any:
        """A Ray actor class with the resources of its bundle."""
        strategy = PlacementGroupSchedulingStrategy(placement_group=self.group, placement_group_bundle_index=bundle)
        remote: Any = ray.remote(kind)
        return remote.options(
            num_cpus=float(getattr(self.recipe.cluster, f"{role}_cpus")),
            num_gpus=float(getattr(self.recipe.cluster, f"{role}_gpus", 0.0)),
            max_restarts=restarts,
            max_task_retries=0,
            # One that works can be told to stop.
            max_concurrency=2 if role == "learner" else 1,
            scheduling_strategy=strategy,
        )


def _wait(learners: list[Any], runs: list[Any], interrupt: Interrupt) -> dict[str, Any] | AssayError | None:
    """Waits for the run; the first Ctrl-C lets it finish its step, the second interrupts.

    Raises:
        RayActorError: A process of the learner died.
        RayTaskError: One failed by itself.
    """
    told, left = False, list(runs)
    while True:
        done, left = ray.wait(left, timeout=_POLL_S)
        for run in done:
            try:
                outcome = ray.get(run)
            except RayTaskError:
                # One whose peer died fails too, and may be heard of first.
                peers, _ = ray.wait(left, num_returns=len(left), timeout=_PEERS_S) if left else ([], [])
                for peer in peers:
                    with suppress(RayTaskError):
                        ray.get(peer)
                raise
            # Equal, not the same: a client at ray:// gets a new object for every answer.
            if run == runs[0]:
                return outcome
        if interrupt.requested and not told:
            told = True
            learners[0].stop.remote()


def _close(actors: list[Any]) -> None:
    """Lets servers end by themselves; those that do not are killed with their actors."""
    with suppress(Exception):
        ray.wait([actor.close.remote() for actor in actors], num_returns=len(actors), timeout=_CLOSE_S)
