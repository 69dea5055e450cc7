"""`assay eval`: how good a model is on a file of problems or a generated task."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.commands.output import Json, emit_json, figure, need, plain, print_table, progress, quiet_libraries, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.data import Source, Task, Template
    from assay.evaluate import Evaluation
    from assay.rollout.types import TokenIds


class TemplateKind(StrEnum):
    """How problems are put to the model."""

    RAW = "raw"
    R1 = "r1"
    CHAT = "chat"


class Gold(StrEnum):
    """Where the gold answer stands in the reference field."""

    AS_IS = "as_is"
    HASHES = "hashes"
    BOXED = "boxed"


def evaluate(  # noqa: PLR0913 - one parameter an option
    model: Annotated[Path, typer.Argument(help="A Hugging Face folder.", show_default=False)],
    *,
    data: Annotated[str, typer.Option(help="A .jsonl or .parquet file, or `gym:TASK` for a reasoning-gym task.")],
    prompt_field: Annotated[str, typer.Option(help="The field with the problem.")] = "prompt",
    reference_field: Annotated[str, typer.Option(help="The field with the gold answer.")] = "reference",
    gold: Annotated[Gold, typer.Option(help="Where the answer stands in that field.")] = Gold.AS_IS,
    template: Annotated[TemplateKind, typer.Option(help="How a problem is put to the model.")] = TemplateKind.RAW,
    profile: Annotated[str, typer.Option(help="Where the answer stands in a completion.")] = "r1",
    samples: Annotated[int, typer.Option(min=1, help="Completions of each problem.")] = 4,
    k: Annotated[list[int] | None, typer.Option(min=1, help="Also pass@K and cons@K; may be repeated.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest completion, in tokens.")] = 256,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 is greedy.")] = 0.6,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="Nucleus of this mass.")] = 0.95,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many problems only.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of sampling and of generated problems.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(help="Keep every sample in this JSON Lines file.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure how often a model is right.

    Samples MODEL on problems and prints its accuracy with standard errors.

    Accuracy is the mean over problems of the share of right samples (pass@1). pass@K is the unbiased estimate; cons@K is
    how often the answer most of K samples agree on is right, where answers agree if the verifier says they are equal.
    Samples that could not be judged are counted, and left out of every mean.
    """
    from assay.data import Template, load

    need("torch", "transformers", extra="train")
    problems = load(_source(data, prompt_field, reference_field, gold, limit, seed))
    quiet_libraries()
    made = _run(
        model,
        problems,
        template=Template(kind=template.value),
        profile=profile,
        plan={"samples": samples, "seed": seed, "ks": tuple(k or ())},
        sampling={"max_new_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p},
    )
    if output:
        from assay._files import write_atomic

        write_atomic(output, "".join(json.dumps(plain(row)) + "\n" for row in made.rows()))
    _print(made, output, as_json=as_json)


def _source(data: str, prompt: str, reference: str, gold: Gold, limit: int | None, seed: int) -> Source:
    from assay.data import parse_config

    table: dict[str, Any] = {"seed": seed}
    if data.startswith("gym:"):
        table |= {"source": "reasoning_gym", "task": data.removeprefix("gym:"), "size": limit or 100}
    else:
        table |= {
            "source": "parquet" if data.endswith(".parquet") else "jsonl",
            "path": data,
            "prompt_field": prompt,
            "reference_field": reference,
            "gold": gold.value,
            "limit": limit,
        }
    return parse_config(table, where="--data")


class _Codec:
    """A template and a tokenizer."""

    def __init__(self, tokenizer: Any, template: Template) -> None:
        self._tokenizer = tokenizer
        self._template = template

    def encode(self, task: Task) -> TokenIds:
        import numpy as np

        from assay.data import render

        text = render(task.prompt, self._template, self._tokenizer)
        # A chat template writes the special tokens itself.
        special = self._template.kind != "chat"
        return np.asarray(self._tokenizer.encode(text, add_special_tokens=special), dtype=np.uint32)

    def decode(self, token_ids: TokenIds) -> str:
        ids = token_ids.tolist()
        if ids and ids[-1] == self._tokenizer.eos_token_id:
            ids.pop()
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))


def _run(
    model: Path,
    problems: Sequence[Task],
    *,
    template: Template,
    profile: str,
    plan: dict[str, Any],
    sampling: dict[str, Any],
) -> Evaluation:
    from assay.evaluate import Plan
    from assay.evaluate import evaluate as measure
    from assay.learner.policy import Policy
    from assay.rewards import Scorer
    from assay.rollout.local import LocalGenerator
    from assay.rollout.types import SamplingParams

    scorer = Scorer({"component": [{"kind": "accuracy", "profile": profile}]})
    policy = Policy.load(model)
    stop = policy.tokenizer.eos_token_id
    stops = (stop,) if isinstance(stop, int) else ()
    made = Plan(sampling=SamplingParams(**sampling, stop_token_ids=stops), **plan)
    with progress("sampling", len(problems)) as tick:
        return measure(
            LocalGenerator(policy.model), problems, _Codec(policy.tokenizer, template), scorer, made, progress=tick
        )


def _print(made: Evaluation, output: Path | None, *, as_json: bool) -> None:
    if as_json:
        emit_json({**made.metrics(), "output": None if output is None else str(output)})
        return
    lines = [("accuracy (pass@1)", made.accuracy)]
    lines += [
        (f"{name}@{k}", estimate)
        for name, table in (("pass", made.pass_at), ("cons", made.cons_at))
        for k, estimate in table.items()
    ]
    print_table(
        ["measure", "value", "standard error", "problems"],
        [[name, figure(value), figure(error), str(problems)] for name, (value, error, problems) in lines],
    )
    say("")
    say(f"{len(made.samples)} samples of {len(made.tasks)} problems; mean length {figure(made.length_mean)} tokens")
    say(f"{figure(made.thinks_ratio)} of them think; {made.unjudged} could not be judged and count nowhere")
    if output:
        say(f"samples: {output}")
