"""The generator that a recipe's ``[generator]`` table describes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from assay._transformers import text_config
from assay.errors import InvalidInputError
from assay.learner.checkpoint import atomic_folder
from assay.recipe.schema import FolderModel, GrpoStage, LocalGeneration, SGLangGeneration, Synchronous
from assay.rollout import LocalGenerator, ProcessGenerator, SGLangGenerator
from assay.rollout.sglang import LaunchOptions, LocalServer, SyncOptions, default_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.learner.policy import Policy
    from assay.recipe.schema import Recipe, SyncConfig
    from assay.rollout import Generator

_MIB = 2**20


def open_generator(recipe: Recipe, policy: Policy, folder: Path) -> Generator:
    """Makes the generator of a run, which samples from the policy's weights as they are now.

    Args:
        recipe: The resolved recipe.
        policy: The model in training.
        folder: The run folder; launched servers keep the model they start from and their logs in ``generator/``.

    Raises:
        InvalidInputError: A setting does not fit the model or the environment.
        UnavailableError: ``sglang`` is not there, a server does not come up, or it does not take the weights.
    """
    config = recipe.generator
    if isinstance(config, LocalGeneration):
        if config.process or any(
            isinstance(stage, GrpoStage) and stage.pipeline != Synchronous() for stage in recipe.stage
        ):
            return ProcessGenerator(
                policy.model,
                token_budget=recipe.runtime.token_budget,
                threads=config.threads or recipe.runtime.threads,
            )
        return LocalGenerator(policy.model, token_budget=recipe.runtime.token_budget, shares_weights=True)
    launched: list[LocalServer] = []
    try:
        if config.launch is not None:
            model = folder / "generator" / "model"
            if not isinstance(recipe.model, FolderModel) and not model.is_dir():
                with atomic_folder(model) as partial:
                    policy.export(partial)
            for number in range(config.launch.servers):
                first = config.launch.first_gpu + number * config.launch.tp_size
                launched.append(LocalServer(launch_options(recipe, folder, first_gpu=first)))
        generator = attach(config, policy, launched or config.servers)
    except BaseException:
        for server in launched:
            server.close()
        raise
    try:
        # Whatever the servers hold, the first completion comes from the learner's weights; and a server whose weights
        # cannot be made equal to the learner's is found before anything is trained.
        generator.update_weights(0, policy.named_tensors)
    except BaseException:
        generator.close()
        raise
    return generator


def attach(config: SGLangGeneration, policy: Policy, servers: Sequence[str | LocalServer]) -> SGLangGenerator:
    """The generator of SGLang servers that are there or coming up.

    Raises:
        InvalidInputError: The API key is not set.
        UnavailableError: A server does not come up.
    """
    api_key = None
    if config.api_key_variable is not None:
        api_key = os.environ.get(config.api_key_variable)
        if not api_key:
            raise InvalidInputError(f"generator.api_key_variable: {config.api_key_variable} is not set")
    return SGLangGenerator(
        servers,
        router=config.router,
        api_key=api_key,
        vocab_size=int(text_config(policy.model).vocab_size),
        max_in_flight=config.max_in_flight,
        max_retries=config.max_retries,
        request_timeout_s=config.request_timeout_s,
        ready_timeout_s=config.ready_timeout_s,
        sync=_sync_options(config.sync),
    )


def launch_options(
    recipe: Recipe, folder: Path, *, first_gpu: int = 0, host: str = "127.0.0.1", port: int = 0
) -> LaunchOptions:
    """How a server of a recipe with ``[generator.launch]`` is started; it logs into ``generator/`` of the run folder."""
    config = recipe.generator
    assert isinstance(config, SGLangGeneration), "only SGLang is launched"
    assert config.launch is not None, "asked for by the recipe"
    launch = config.launch
    device = default_device() if launch.device == "auto" else launch.device
    gpu = ("--base-gpu-id", str(first_gpu)) if device == "cuda" and first_gpu else ()
    model = Path(recipe.model.path) if isinstance(recipe.model, FolderModel) else folder / "generator" / "model"
    return LaunchOptions(
        model_path=str(model),
        host=host,
        port=port,
        device=device,
        dtype=recipe.model.compute_dtype if launch.dtype == "auto" else launch.dtype,
        tp_size=launch.tp_size,
        python=launch.python or sys.executable,
        arguments=(*gpu, *launch.arguments),
        environment=launch.environment,
        log_directory=folder / "generator",
        ready_timeout_s=config.ready_timeout_s,
        max_restarts=launch.max_restarts,
    )


def _sync_options(config: SyncConfig) -> SyncOptions:
    return SyncOptions(
        path=config.path,
        pause=config.pause,
        bucket_bytes=config.bucket_mib * _MIB,
        verify=config.verify,
        keep=config.keep,
        directory=None if config.directory is None else Path(config.directory),
        backend=config.backend,
        master_address=config.master_address,
        master_port=config.master_port,
        group_timeout_s=config.group_timeout_s,
    )
