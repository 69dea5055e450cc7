"""A model folder for others, with a card that has the run's own numbers."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from assay.learner.checkpoint import atomic_folder
from assay.recipe.model import model_name
from assay.recipe.table import stage_table, table_text

if TYPE_CHECKING:
    from pathlib import Path

    from assay.recipe.context import RunContext
    from assay.recipe.schema import ExportStage


def run_export(context: RunContext, stage: ExportStage) -> None:
    """Writes ``export/STAGE`` of the run folder: weights, tokenizer, ``README.md``; and a card for every dataset.

    Raises:
        UnavailableError: The disk is full; nothing is left behind.
    """
    folder = context.folder.path / "export" / stage.name
    folder.parent.mkdir(exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    with context.timed(stage.name), atomic_folder(folder) as partial:
        context.policy.export(partial)
        (partial / "README.md").write_text(model_card(context, stage), encoding="utf-8")
        for manifest in sorted((context.folder.path / "datasets").glob("*/manifest.json")):
            own = partial / "datasets" / manifest.parent.name
            own.mkdir(parents=True)
            for path in sorted(manifest.parent.glob("data-*")):
                shutil.copyfile(path, own / path.name)
            (own / "README.md").write_text(dataset_card(manifest, stage.license), encoding="utf-8")
    row = {"stage": stage.name, "kind": "export", "step": context.weight_version}
    context.folder.log({**row, "time_s": context.seconds[stage.name]})


def model_card(context: RunContext, stage: ExportStage) -> str:
    """The text of the model's ``README.md``."""
    recipe = context.recipe
    base = stage.base_model or model_name(context.model or recipe.model)
    rows = context.folder.read_metrics()
    lines = [
        *("---", "library_name: transformers", f"license: {stage.license}", f"base_model: {json.dumps(base)}"),
        *("tags: [assay, reasoning, grpo]", "---", "", f"# {recipe.name}", ""),
        *([recipe.description, ""] if recipe.description else []),
        f"Made from {base} by the recipe below, seed {recipe.seed}. Every number was measured in the run itself.",
        *("", "## Evaluations", ""),
    ]
    table = stage_table(rows)
    lines += _markdown(*table_text(table)) if table else ["None: the recipe has no stage `eval` before this one."]
    lines += ["", "## Stages", ""]
    lines += _markdown(["stage", "kind", "wall s", "CPU s"], _stages(context))
    lines += ["", "## Recipe", "", "```toml", (context.folder.path / "recipe.toml").read_text(encoding="utf-8"), "```"]
    return "\n".join(lines) + "\n"


def dataset_card(manifest: Path, license_name: str) -> str:
    """The text of a dataset's ``README.md``."""
    facts: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
    lines = [
        *("---", f"license: {license_name}", f"size: {facts['rows']}", "---", "", f"# {manifest.parent.name}", ""),
        (
            f"{facts['rows']} completions of {facts['prompts']} prompts, sampled from {facts['model']} (weights "
            f"{facts['weight_version']}, seed {facts['seed']}) and kept by rejection sampling."
        ),
        *("", "## What became of the samples", ""),
        *_markdown(["decision", "samples"], [[name, str(count)] for name, count in facts["counts"].items()]),
        *("", "## Sampling", "", "```json", json.dumps(facts["sampling"], indent=2), "```"),
    ]
    return "\n".join(lines) + "\n"


def _stages(context: RunContext) -> list[list[str]]:
    return [
        [stage.name, stage.kind, f"{context.seconds[stage.name]:.1f}", f"{context.cpu_seconds[stage.name]:.1f}"]
        for stage in context.recipe.stage
        if stage.name in context.seconds
    ]


def _markdown(header: list[str], cells: list[list[str]]) -> list[str]:
    rows = [header, ["---"] * len(header), *cells]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
