"""The driver of a run on Ray: reserves, places, starts, and brings the learner back."""

from __future__ import annotations

import os
import random
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayActorError, RayTaskError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from assay.errors import AssayError, InvalidInputError, UnavailableError
from assay.recipe.cluster.actors import EngineActor, LearnerActor, Place, RewardActor, SGLangActor
from assay.recipe.schema import LocalGeneration

if TYPE_CHECKING:
    from assay.recipe.schema import ClusterConfig, Recipe

_PORTS = range(20000, 32768)
_POLL_S = 0.5


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
        return _supervise(recipe, folder, group, resume=resume, host="127.0.0.1" if address == "ray" else None)
    finally:
        with suppress(Exception):
            remove_placement_group(group)  # ends every actor in it
        if ours:
            ray.shutdown()


def _bundles(recipe: Recipe) -> list[dict[str, float]]:
    """What each process needs: the learner, then the generators, then the reward servers."""
    cluster = recipe.cluster
    learner = {"CPU": cluster.learner_cpus, "GPU": cluster.learner_gpus}
    generator = {"CPU": cluster.generator_cpus, "GPU": cluster.generator_gpus}
    needs = [learner, *[generator] * _generators(recipe), *[{"CPU": cluster.reward_cpus}] * cluster.reward_servers]
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
            ray.init(address=address, log_to_driver=True)
        else:
            raise InvalidInputError(f"--on {address}: give ray (this machine), ray://HOST:PORT, or auto")
    except (ConnectionError, TimeoutError, RuntimeError, OSError) as error:
        raise UnavailableError(f"Ray at {address!r} cannot be reached: {error}") from error


def _supervise(recipe: Recipe, folder: Path, group: Any, *, resume: bool, host: str | None) -> dict[str, Any]:
    cluster = recipe.cluster
    count = _generators(recipe)
    engine = EngineActor if isinstance(recipe.generator, LocalGeneration) else SGLangActor
    ports = random.SystemRandom().sample(_PORTS, count + cluster.reward_servers)
    generators = [
        _place(engine, group, 1 + number, cluster, "generator", restarts=-1).remote(
            Place(folder, "generator", number, ports[number], host), recipe
        )
        for number in range(count)
    ]
    threads = max(1, int(cluster.reward_cpus))
    rewards = [
        _place(RewardActor, group, 1 + count + number, cluster, "reward", restarts=-1).remote(
            Place(folder, "rewards", number, ports[count + number], host), threads
        )
        for number in range(cluster.reward_servers)
    ]
    deaths = 0
    while True:
        learner = _place(LearnerActor, group, 0, cluster, "learner", restarts=0).remote(
            Place(folder, "learner", 0), recipe, generators, rewards
        )
        try:
            outcome = _wait(learner, learner.run.remote(resume=resume))
        except RayTaskError as error:
            raise UnavailableError(f"the learner failed: {error}") from error
        except RayActorError as error:
            deaths += 1
            if deaths > cluster.learner_restarts:
                raise UnavailableError(
                    f"the learner died {deaths} times (cluster.learner_restarts is {cluster.learner_restarts}): {error}"
                ) from error
            # Whatever it had checkpointed is where the next one begins.
            resume = (folder / "recipe.toml").is_file()
            sys.stderr.write("assay: the learner died; it is started again from its last checkpoint\n")
            continue
        if isinstance(outcome, AssayError):
            raise outcome
        if outcome is None:
            raise KeyboardInterrupt
        return outcome


def _wait(learner: Any, run: Any) -> dict[str, Any] | AssayError | None:
    """Waits for the run; the first Ctrl-C lets it finish its step."""
    told = False
    while True:
        try:
            done, _ = ray.wait([run], timeout=_POLL_S)
            if done:
                return ray.get(run)
        except KeyboardInterrupt:
            if told:
                raise
            told = True
            learner.stop.remote()


def _place(kind: type, group: Any, bundle: int, cluster: ClusterConfig, role: str, *, restarts: int) -> Any:
    """A Ray actor class with the resources of its bundle."""
    strategy = PlacementGroupSchedulingStrategy(placement_group=group, placement_group_bundle_index=bundle)
    remote: Any = ray.remote(kind)
    return remote.options(
        num_cpus=float(getattr(cluster, f"{role}_cpus")),
        num_gpus=float(getattr(cluster, f"{role}_gpus", 0.0)),
        max_restarts=restarts,
        max_task_retries=0,
        max_concurrency=2 if role == "learner" else 1,
        scheduling_strategy=strategy,
    )
