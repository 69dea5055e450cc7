"""Rejection sampling: complete every prompt several times, score, and keep what is right and fit to learn from.

In ``datasets/STAGE`` of the run folder: ``samples-*.jsonl`` (every completion with its scores, written shard by shard),
``unscored-*.jsonl`` (completions whose judge did not answer), and, once all are scored, ``data-*`` (what was kept),
``rejected-*.jsonl`` (what was not, each with its reason) and ``manifest.json``. Every file is whole or not there.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from assay.data import normalised
from assay.data.jsonl import read_jsonl
from assay.errors import InvalidInputError, UnavailableError
from assay.recipe.curate import counts, curate
from assay.recipe.dataset import read_marks, write_dataset, write_rows
from assay.recipe.model import build_model, model_name
from assay.recipe.order import derive_seed
from assay.recipe.progress import StageProgress
from assay.recipe.sampling import sampling_params
from assay.recipe.scoring import accuracy_of
from assay.recipe.training import Interrupted
from assay.rollout import Rollout
from assay.scores import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from assay.data import Task
    from assay.recipe.context import RunContext
    from assay.recipe.curate import Row
    from assay.recipe.schema import CollectStage
    from assay.rollout import Generator
    from assay.scores import Scores

# How long to wait before asking a judge again, in seconds: doubled each time up to the last.
_FIRST_WAIT, _LAST_WAIT = 0.5, 30.0


class _Source(NamedTuple):
    """Who completes, and what to write about it."""

    generator: Generator
    tokenizer: Any
    provenance: dict[str, Any]


def run_collect(context: RunContext, stage: CollectStage) -> None:
    """Makes the dataset, going on from the shards that are there.

    Raises:
        InvalidInputError: No row could be scored, or nothing was kept.
        UnavailableError: The judge did not answer for ``patience_s``, or the disk is full; what is there stays.
        Interrupted: Ctrl-C, after the shard in hand.
    """
    folder = context.folder.path / "datasets" / stage.name
    folder.mkdir(parents=True, exist_ok=True)
    tasks = context.problems[stage.name].train[: stage.prompts or None]
    source = _source(context, stage)
    with StageProgress(stage.name, len(tasks)) as progress, context.timed(stage.name):
        rows: list[Row] = []
        for shard, start in enumerate(range(0, len(tasks), stage.shard)):
            part = tasks[start : start + stage.shard]
            done = folder / f"samples-{shard:05d}.jsonl"
            if not done.is_file():
                rollouts = _completions(context, stage, source, part, folder / f"unscored-{shard:05d}.jsonl", start)
                scored = _scored(context, stage, source, part, rollouts, start, progress)
                write_rows(done, scored)
                (folder / f"unscored-{shard:05d}.jsonl").unlink(missing_ok=True)
            rows += [row for _, row in read_jsonl(done)]
            progress.step({}, advance=len(part))
            if context.interrupt.requested:
                raise Interrupted
        if all(row["correct"] is None for row in rows):
            raise InvalidInputError(
                f"stage {stage.name!r}: none of {len(rows)} completions has a score ({rows[0]['status']}: "
                f"{rows[0]['reason']}); give the rows references, or a judge"
            )
        curated = curate(rows, stage, read_marks(stage.reviews, stage.name))
        tally = counts(curated)
        if not tally.get("kept"):
            raise InvalidInputError(f"stage {stage.name!r}: nothing was kept ({_listed(tally)}); ask for less")
        write_dataset(folder, curated, stage, {**source.provenance, "counts": tally, "prompts": len(tasks)})
        progress.say(f"{stage.name}: {_listed(tally)}")
    context.folder.log(_metrics(context, stage, curated))


def _source(context: RunContext, stage: CollectStage) -> _Source:
    """The model in training, or the stage's own."""
    if stage.model is None:
        generator, tokenizer, name = context.generator, context.policy.tokenizer, context.trained_as()
    else:
        teacher = build_model(context.recipe, stage.model)
        generator, tokenizer, name = context.generator_for(teacher), teacher.tokenizer, model_name(stage.model)
    provenance = {
        "recipe": context.recipe.name,
        "stage": stage.name,
        "model": name,
        "weight_version": context.weight_version if stage.model is None else 0,
        "seed": derive_seed(context.recipe.seed, stage.name, "sample"),
        "sampling": stage.sampling.model_dump(mode="json"),
    }
    return _Source(generator, tokenizer, provenance)


def _completions(
    context: RunContext, stage: CollectStage, source: _Source, tasks: Sequence[Task], unscored: Path, start: int
) -> list[Rollout]:
    """The completions of one shard: those that wait for a judge, or new ones, which are written down first.

    Sampling may be the dearest part of a run, and another run of it may give other completions.
    """
    if unscored.is_file():
        rows = [row for _, row in read_jsonl(unscored)]
        return [
            Rollout(
                row["group_id"],
                row["index"],
                np.zeros(0, np.uint32),
                np.array(row["token_ids"], dtype=np.uint32),
                np.zeros(len(row["token_ids"]), np.float32),
                row["finish_reason"],
                row["weight_version"],
            )
            for row in rows
        ]
    groups = source.generator.generate(
        context.prompt_ids(tasks, stage, tokenizer=source.tokenizer),
        group_size=stage.samples,
        sampling=sampling_params(source.tokenizer, stage.sampling),
        seed=source.provenance["seed"],
        first_group_id=start,
    )
    rollouts = [rollout for group in sorted(groups, key=lambda group: group.group_id) for rollout in group.rollouts]
    write_rows(
        unscored,
        [
            {
                "group_id": rollout.group_id,
                "index": rollout.index,
                "token_ids": rollout.token_ids.tolist(),
                "finish_reason": rollout.finish_reason,
                "weight_version": rollout.weight_version,
            }
            for rollout in rollouts
        ],
    )
    return rollouts


def _scored(
    context: RunContext,
    stage: CollectStage,
    source: _Source,
    tasks: Sequence[Task],
    rollouts: Sequence[Rollout],
    start: int,
    progress: StageProgress,
) -> list[Row]:
    """One row per completion, with everything that is needed to audit it."""
    own = [tasks[rollout.group_id - start] for rollout in rollouts]
    texts: list[str] = source.tokenizer.batch_decode(
        [rollout.token_ids.tolist() for rollout in rollouts], skip_special_tokens=True
    )
    scores = _patiently(context, stage, rollouts, own, texts, progress)
    values, items = _deciding(stage, scores), scores.to_list()
    return [
        {
            "key": f"{rollout.group_id}/{rollout.index}",
            "prompt_id": normalised(task.prompt),
            "prompt": task.prompt,
            "reference": task.reference,
            "id": task.id,
            "source": task.source,
            "metadata": task.metadata,
            "completion": text,
            "finish_reason": rollout.finish_reason,
            "length": len(rollout.token_ids),
            **item,
            "correct": None if np.isnan(value) else bool(value >= stage.min_score),
            "model": source.provenance["model"],
            "weight_version": rollout.weight_version,
            "seed": source.provenance["seed"],
        }
        for rollout, task, text, item, value in zip(rollouts, own, texts, items, values, strict=True)
    ]


def _deciding(stage: CollectStage, scores: Scores) -> Any:
    """The value of each completion that decides whether it is right."""
    if stage.accept is not None:
        if stage.accept not in scores.components:
            known = ", ".join(scores.components)
            raise InvalidInputError(f"stage {stage.name!r}: accept names {stage.accept!r}; its reward has {known}")
        return scores.components[stage.accept]
    accuracy = accuracy_of(scores)
    return scores.total if accuracy is None else accuracy


def _patiently(
    context: RunContext,
    stage: CollectStage,
    rollouts: Sequence[Rollout],
    tasks: Sequence[Task],
    texts: Sequence[str],
    progress: StageProgress,
) -> Scores:
    """Scores, waiting for a judge that does not answer.

    Raises:
        UnavailableError: It did not answer for ``patience_s``.
        Interrupted: Ctrl-C while waiting.
    """
    scorer, waited, wait = context.scorer_of(stage), 0.0, _FIRST_WAIT
    while True:
        try:
            scores = scorer.score(rollouts, tasks, texts)
            down = next((r for s, r in zip(scores.status, scores.reasons, strict=True) if s is Status.UNAVAILABLE), "")
            if down == "":
                return scores
            reason = down or "a component did not answer"
        except UnavailableError as error:
            reason = str(error)
        if waited >= stage.patience_s:
            raise UnavailableError(
                f"stage {stage.name!r}: the judge did not answer for {waited:.0f} s ({reason}); every completion so far "
                "is kept: start it again, then go on with --resume"
            )
        if context.interrupt.requested:
            raise Interrupted
        pause = min(wait, stage.patience_s - waited)
        progress.say(f"{stage.name}: paused, the judge does not answer ({reason}); asking again in {pause:.1f} s")
        time.sleep(pause)
        waited, wait = waited + pause, min(2 * wait, _LAST_WAIT)


def _metrics(context: RunContext, stage: CollectStage, rows: Sequence[Row]) -> dict[str, Any]:
    rates = {row["prompt_id"]: row["pass_rate"] for row in rows if row["pass_rate"] is not None}
    kept = [row for row in rows if row["rejected"] is None]
    row: dict[str, Any] = {
        "stage": stage.name,
        "kind": "collect",
        "step": context.weight_version,
        "time_s": context.seconds[stage.name],
        "collect/samples": float(len(rows)),
        "collect/kept": float(len(kept)),
        "collect/pass_rate": float(np.mean(list(rates.values()))),
        "collect/length_kept": float(np.mean([row["length"] for row in kept])),
    }
    for bucket in range(len(stage.balance.edges) + 1):
        row[f"collect/bucket_{bucket}"] = float(sum(kept_row["bucket"] == bucket for kept_row in kept))
    for reason, count in counts(rows).items():
        if reason != "kept":
            row[f"collect/rejected/{reason}"] = float(count)
    return row


def _listed(tally: dict[str, int]) -> str:
    return json.dumps(tally, ensure_ascii=False).strip("{}").replace('"', "")
