"""Sampled accuracy on problems that training never saw."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import InvalidInputError
from assay.recipe.emergence import held_out_alarm
from assay.recipe.order import derive_seed
from assay.recipe.progress import StageProgress
from assay.recipe.sampling import sampling_params
from assay.recipe.scoring import accuracy_of, batch_metrics, sample_rows, score_groups, thinks
from assay.recipe.start import lineage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from assay.recipe.context import RunContext
    from assay.recipe.schema import EvalStage
    from assay.recipe.scoring import ScoredBatch
    from assay.rollout import RolloutGroup

# Problems sampled between two moves of the progress bar and two looks at Ctrl-C.
_CHUNK = 256


def run_eval(context: RunContext, stage: EvalStage) -> dict[str, float]:
    """Samples, scores and logs; returns the metrics. The weights do not change.

    Raises:
        InvalidInputError: There are no held-out problems.
        KeyboardInterrupt: Ctrl-C; an evaluation is repeated as a whole.
    """
    held_out = context.problems[stage.name].held_out
    tasks = held_out[: stage.problems or None]
    if not tasks:
        raise InvalidInputError(f"stage {stage.name!r}: there are no held-out problems; set data.held_out")
    sampling = sampling_params(context.policy.tokenizer, stage.sampling)
    groups: list[RolloutGroup] = []
    with StageProgress(stage.name, len(tasks)) as progress, context.timed(stage.name):
        for start in range(0, len(tasks), _CHUNK):
            part = tasks[start : start + _CHUNK]
            groups += context.generator.generate(
                context.prompt_ids(part, stage),
                group_size=stage.samples,
                sampling=sampling,
                seed=derive_seed(context.recipe.seed, stage.name, "sample"),
                first_group_id=start,
            )
            progress.step({}, advance=len(part))
            if context.interrupt.requested:
                raise KeyboardInterrupt
        groups.sort(key=lambda group: group.group_id)
        batch = score_groups(groups, tasks, context.scorer_of(stage), context.policy.tokenizer)
        metrics = eval_metrics(batch, stage.samples)
        progress.say(_sentence(stage.name, metrics))
    row = {"stage": stage.name, "kind": "eval", "step": context.weight_version, "time_s": context.seconds[stage.name]}
    earlier = [old for old in _evaluations_of_ancestors(context, stage) if _alike(old, metrics)]
    context.folder.log({**row, **metrics})
    if earlier and (alarm := held_out_alarm(earlier[-1], {**metrics})) is not None:
        context.folder.log({**row, "kind": "alarm", **alarm})
    context.folder.log_samples(
        sample_rows(batch, stage=stage.name, step=context.weight_version, groups=stage.sample_groups)
    )
    return metrics


def eval_metrics(batch: ScoredBatch, samples: int) -> dict[str, float]:
    """Accuracy with its standard error over problems, length, and accuracy split by whether the completion thinks."""
    metrics = {f"eval/{name}": value for name, value in batch_metrics(batch).items() if name.startswith("status/")}
    everything = batch_metrics(batch)
    metrics |= {
        "eval/n": float(len(batch.rollouts) // samples),
        "eval/reward_mean": everything["reward/mean"],
        "eval/length_mean": everything["completion/length_mean"],
        "eval/clipped_ratio": everything["completion/clipped_ratio"],
        "eval/thinks_ratio": everything["completion/thinks_ratio"],
    }
    metrics |= {
        f"eval/{key}": value for key, value in everything.items() if key.startswith("reward/") and key.count("/") == 2
    }
    values = accuracy_of(batch.scores)
    if values is None:
        return metrics
    per_problem = values.reshape(-1, samples)
    known = ~np.isnan(per_problem)
    scored = known.any(axis=1)
    means = np.where(known, per_problem, 0.0).sum(axis=1)[scored] / known.sum(axis=1)[scored]
    metrics["eval/accuracy"] = float(means.mean()) if means.size else float("nan")
    # Problems are the independent draws, not completions: samples of one problem are alike.
    metrics["eval/accuracy_se"] = float(means.std(ddof=1) / math.sqrt(means.size)) if means.size > 1 else float("nan")
    thinking = np.array([thinks(text) for text in batch.texts])
    for name, chosen in (("thinking", thinking), ("direct", ~thinking)):
        some = values[chosen & ~np.isnan(values)]
        metrics[f"eval/accuracy_{name}"] = float(some.mean()) if some.size else float("nan")
        metrics[f"eval/n_{name}"] = float(some.size)
    return metrics


def _evaluations_of_ancestors(context: RunContext, stage: EvalStage) -> list[dict[str, Any]]:
    """Earlier evaluations of weights that this stage's weights came from: a branch beside them says nothing of them."""
    stages = context.recipe.stage
    mine = lineage(stages, stage.name)
    rows = [row for row in context.folder.read_metrics() if row["kind"] == "eval"]
    return [row for row in rows if lineage(stages, row["stage"])[0] in mine]


def _alike(row: Mapping[str, Any], metrics: Mapping[str, float]) -> bool:
    """Whether another evaluation had as many problems and the same components."""

    def components(of: Mapping[str, Any]) -> set[str]:
        return {key for key in of if key.startswith("eval/reward/")}

    return row.get("eval/n") == metrics["eval/n"] and components(row) == components(metrics)


def _sentence(name: str, metrics: dict[str, float]) -> str:
    accuracy, error = metrics.get("eval/accuracy"), metrics.get("eval/accuracy_se")
    known = "" if accuracy is None else f"accuracy {accuracy:.3f} ± {error:.3f}, "
    return (
        f"{name}: {known}{metrics['eval/thinks_ratio']:.0%} think, {metrics['eval/length_mean']:.1f} tokens "
        f"({metrics['eval/n']:.0f} problems)"
    )


def comparison(before: dict[str, float | None], after: dict[str, float | None]) -> Sequence[str]:
    """What changed between two evaluations, in sentences that claim no more than the numbers."""

    def change(key: str, form: str) -> str:
        # What nothing could be measured on is None (in `metrics.jsonl`) or not there.
        values = [side.get(key) for side in (before, after)]
        return " -> ".join("none" if value is None else form.format(value) for value in values)

    lines: list[str] = []
    if "eval/accuracy" in before and "eval/accuracy" in after:
        lines.append(f"accuracy {change('eval/accuracy', '{:.3f}')}")
        lines.append(f"  of completions that think {change('eval/accuracy_thinking', '{:.3f}')}")
        lines.append(f"  of direct ones {change('eval/accuracy_direct', '{:.3f}')}")
    lines.append(f"share that think {change('eval/thinks_ratio', '{:.3f}')}")
    lines.append(f"mean length {change('eval/length_mean', '{:.1f}')} tokens")
    return lines
