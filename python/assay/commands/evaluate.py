"""`assay eval`: how good a model is on benchmarks, on a file of problems or on a generated task."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.commands.output import Json

if TYPE_CHECKING:
    from assay.commands.evaluation import Request


class TemplateKind(StrEnum):
    """How problems are put to the model."""

    AUTO = "auto"
    RAW = "raw"
    R1 = "r1"
    CHAT = "chat"


class Gold(StrEnum):
    """Where the gold answer stands in the reference field."""

    AS_IS = "as_is"
    HASHES = "hashes"
    BOXED = "boxed"


class AnswerKind(StrEnum):
    """What sort of answer a reference is."""

    AUTO = "auto"
    NUMBER = "number"
    MATH = "math"
    CHOICE = "choice"
    TEXT = "text"


class Dtype(StrEnum):
    """What the model computes in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


def evaluate(  # noqa: PLR0913 - one parameter an option
    model: Annotated[
        Path | None,
        typer.Argument(
            help="A Hugging Face folder; with --server, its tokenizer is all that is read.", show_default=False
        ),
    ] = None,
    *,
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            help="aime24, math500, gpqa_diamond, mmlu, gsm8k (from the Hugging Face hub), NAME=PATH for a local copy of "
            "one, a .jsonl or .parquet file, or gym:TASK; several between commas, or repeated.",
            show_default=False,
        ),
    ] = None,
    prompt_field: Annotated[str, typer.Option(help="Of a file: the field with the problem.")] = "prompt",
    reference_field: Annotated[str, typer.Option(help="Of a file: the field with the gold answer.")] = "reference",
    gold: Annotated[Gold, typer.Option(help="Of a file: where the answer stands in that field.")] = Gold.AS_IS,
    answer: Annotated[AnswerKind, typer.Option(help="Of a file: what sort of answer it is.")] = AnswerKind.AUTO,
    template: Annotated[
        TemplateKind, typer.Option(help="How a problem is put; auto is chat if the tokenizer has a template, else raw.")
    ] = TemplateKind.AUTO,
    profile: Annotated[str, typer.Option(help="Where the answer stands in a completion.")] = "r1",
    samples: Annotated[
        int | None,
        typer.Option(
            min=1, help="Completions of each problem; by default the paper's, 4 for a file.", show_default=False
        ),
    ] = None,
    k: Annotated[list[int] | None, typer.Option(min=1, help="Also pass@K and cons@K; may be repeated.")] = None,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(
            min=1, help="Longest completion; by default 32768 or what the model has room for.", show_default=False
        ),
    ] = None,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 is greedy.")] = 0.6,
    top_p: Annotated[float, typer.Option(min=0.0, max=1.0, help="Nucleus of this mass.")] = 0.95,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many problems of each task only.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of sampling and of generated problems.")] = 0,
    server: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="Sample on this SGLang server; may be repeated.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where the model runs in this process, as torch names it.")] = "cpu",
    dtype: Annotated[Dtype, typer.Option(help="What the model computes in, in this process.")] = Dtype.FLOAT32,
    out: Annotated[
        Path | None, typer.Option(help="The folder of the evaluation; `evals/MODEL` by default.", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the evaluation in the folder.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is there; with --rescore, store the new verdicts.")
    ] = False,
    rescore: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Judge the samples of this folder again, offline.", show_default=False),
    ] = None,
    contamination: Annotated[
        Path | None,
        typer.Option(
            metavar="TRAIN", help="Training data (.jsonl, .parquet) to look for the problems in.", show_default=False
        ),
    ] = None,
    ngram: Annotated[int, typer.Option(min=1, help="Words in a row that count as found.")] = 13,
    as_json: Json = False,
) -> None:
    r"""Measure how often a model is right.

    Samples MODEL on problems and prints its accuracy with standard errors, beside published results.

    Accuracy is the mean over problems of the share of right samples (pass@1). pass@K is the unbiased estimate; cons@K is
    how often the answer most of K samples agree on is right, where answers agree if the verifier says they are equal.
    Samples that could not be judged are counted, and left out of every mean.

    Every sample is kept as soon as it is finished: a killed evaluation goes on with --resume, and --rescore judges the
    samples again without the model. --contamination alone, without MODEL, exits with 1 if a problem is found in TRAIN.
    """
    from assay.commands.evaluation import Request, check_contamination, judge_again, measure

    request: Request = Request(
        model=model,
        tasks=tasks or [],
        prompt_field=prompt_field,
        reference_field=reference_field,
        gold=gold.value,
        answer=answer.value,
        template=template.value,
        profile=profile,
        samples=samples,
        ks=k or [],
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_p=top_p,
        limit=limit,
        seed=seed,
        servers=server or [],
        device=device,
        dtype=dtype.value,
        out=out,
        resume=resume,
        overwrite=overwrite,
        contamination=contamination,
        ngram=ngram,
        as_json=as_json,
    )
    if rescore is not None:
        judge_again(rescore, request)
    elif model is None and contamination is not None:
        raise typer.Exit(check_contamination(request))
    else:
        measure(request)
