"""`assay train`: carry out a recipe."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.commands.output import Json, emit_json, need, print_table, quiet_libraries, say

if TYPE_CHECKING:
    from collections.abc import Sequence

# What a run writes. Nothing else in a folder is ever removed.
RUN_FILES = ("recipe.toml", "metrics.jsonl", "samples.jsonl", "traces.jsonl", "summary.json", "wandb-run.json")
RUN_FOLDERS = (
    "checkpoints",
    "stages",
    "datasets",
    "models",
    "export",
    "tensorboard",
    "wandb",
    "tokenizer",
    "model",
    "report",
    "generator",
    "cluster",
)


def train(  # noqa: PLR0913 - each is an option of the command
    recipe: Annotated[Path, typer.Argument(help="A recipe in TOML.", show_default=False)],
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="The run folder; `runs/NAME` with the recipe's name by default.", show_default=False),
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key, as in stage.grpo.steps=50; may be repeated."),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(help="The size to run at, a [scale.NAME] of the recipe such as tiny; as written by default."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint of the run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remove an earlier run in the folder first.")] = False,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Run on Ray: `ray` on this machine, `ray://HOST:PORT` or `auto` on a cluster; [cluster] says how.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a model as a recipe says.

    The run folder holds the resolved recipe, metrics, samples and checkpoints. A run can be killed at any moment and
    continued with --resume. Ctrl-C finishes the step in hand, checkpoints it and exits with 130. Under torchrun the model
    is sharded over its processes.
    """
    from assay.errors import InvalidInputError
    from assay.recipe import load_recipe

    if resume and overwrite:
        raise InvalidInputError("--resume goes on with the run that --overwrite removes; give one of them")
    checked = load_recipe(recipe, tuple(override or ()), scale=scale)
    need("torch", "transformers", extra="train")
    from assay.learner.ranks import restarted
    from assay.recipe import run_recipe
    from assay.recipe.ray_token import show_token

    quiet_libraries()
    folder = out or Path("runs") / checked.name
    if restarted():  # a process died: go on with what there is, whatever this command began with
        resume, overwrite = (folder / "recipe.toml").is_file(), False
    if overwrite:
        _remove_run(folder)
    try:
        if on is None:
            summary = run_recipe(checked, folder, resume=resume)
        else:
            need("ray", extra="ray")
            if on.startswith("ray://"):
                show_token()
            from assay.recipe.cluster import run_on_ray

            summary = run_on_ray(checked, folder, resume=resume, address=on)
    except KeyboardInterrupt:
        sys.stderr.write(f"assay: {folder} is checkpointed; go on with --resume\n")
        raise
    if not summary:  # one of several processes, and not the one that runs the recipe
        return
    if as_json:
        emit_json({"run": str(folder), **summary})
        return
    if len(summary.get("table", [])) > 2:
        from assay.recipe.table import table_text

        print_table(*table_text(summary["table"]))
    else:
        for line in _comparison(summary):
            say(line)
    say(f"run: {folder} (assay report {folder})")


def _remove_run(folder: Path) -> None:
    """Removes what a run wrote from a folder that holds one; a folder that holds something else is left alone."""
    from assay.errors import UnavailableError

    if not (folder / "recipe.toml").is_file():
        return
    try:
        # The recipe goes last: until then the folder still counts as a run that can be removed.
        for name in RUN_FOLDERS:
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
        for name in reversed(RUN_FILES):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise UnavailableError(f"{error.filename}: the earlier run cannot be removed: {error.strerror}") from error


def _comparison(summary: dict[str, Any]) -> Sequence[str]:
    if "before" not in summary or "after" not in summary:
        return []
    from assay.recipe.evaluate import comparison

    return comparison(summary["before"], summary["after"])
