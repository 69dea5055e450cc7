"""`assay verify` and `assay extract`: one answer at a time."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from assay.commands.output import Json, emit_json, say

EXIT_DIFFERENT = 1
EXIT_UNDECIDED = 3


class Kind(StrEnum):
    """What sort of answer the gold one is."""

    AUTO = "auto"
    NUMBER = "number"
    MATH = "math"
    CHOICE = "choice"
    TEXT = "text"


class Units(StrEnum):
    """How units are treated."""

    IGNORE = "ignore"
    REQUIRE = "require"
    CONVERT = "convert"


class ToleranceMode(StrEnum):
    """When a decimal may stand for an exact value."""

    LAST_PLACE = "last_place"
    EXACT = "exact"


MEANING = {
    "text": "the two texts are the same after normalisation, or differ and need no arithmetic",
    "exact": "exact arithmetic on numbers of any size",
    "modular": "the difference was evaluated modulo primes; `equal` is probabilistic with a tiny error bound",
    "numeric": "ball arithmetic: intervals that are proved to hold the value",
    "structure": "sets, intervals, relations or choices, part by part",
    "tolerance": "a decimal that stands for an exact value within the tolerance",
    "parse": "at least one side could not be read",
    "fuel": "the fixed work budget of one check ran out",
}


def verify(
    gold: Annotated[
        str, typer.Argument(help="The right answer, with or without $..$ or \\boxed{}.", show_default=False)
    ],
    answer: Annotated[str, typer.Argument(help="The answer to judge.", show_default=False)],
    kind: Annotated[Kind, typer.Option(help="What sort of answer the gold one is.")] = Kind.AUTO,
    tolerance: Annotated[
        ToleranceMode, typer.Option(help="When a decimal may stand for an exact value.")
    ] = ToleranceMode.LAST_PLACE,
    units: Annotated[Units, typer.Option(help="How units are treated.")] = Units.IGNORE,
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show how both sides were read, and what every step said.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say whether ANSWER is the same answer as GOLD.

    Exit code 0: equal. 1: different. 3: undecided (one side could not be read, or the question was too hard).

    Answers are compared, not completions: use `assay extract` or `assay score` for what a model wrote.
    """
    from assay.rewards import verify as check

    verdict = check(_clean(gold), _clean(answer), kind=kind, tolerance=tolerance, units=units)
    outcome, stage = str(verdict.outcome), str(verdict.stage)
    if as_json:
        emit_json({"outcome": outcome, "stage": stage, "reason": verdict.reason, "probable": verdict.probable})
    else:
        say(f"{outcome} ({stage}): {verdict.reason}")
        if explain:
            say(f"decided by: {stage}, that is: {MEANING.get(stage, stage)}")
            say(f"certainty: {'probabilistic' if verdict.probable else 'exact'}")
            _explain(_clean(gold), _clean(answer), kind=kind, tolerance=tolerance, units=units)
    codes = {"equal": 0, "different": EXIT_DIFFERENT}
    raise typer.Exit(codes.get(outcome, EXIT_UNDECIDED))


def _explain(gold: str, answer: str, *, kind: str, tolerance: str, units: str) -> None:
    """Print the readings of both sides and what each pair of them gave."""
    from assay._native import explain

    left, right, pairs, fuel, budget = explain(gold, answer, kind=kind, tolerance=tolerance, units=units)
    for name, (readings, error) in (("gold", left), ("answer", right)):
        for index, reading in enumerate(readings, 1):
            say(f"{name} read as {index}: {reading}")
        if error is not None:
            say(f"{name} not read: {error}")
    for a, b, outcome, stage, reason in pairs:
        say(f"gold {a + 1} with answer {b + 1}: {outcome} ({stage}): {reason}")
    say(f"work: {fuel:,} units of fuel; one pair may spend {budget:,}")


def extract(
    completion: Annotated[
        str | None,
        typer.Argument(help="What the model wrote; read from standard input if left out or `-`.", show_default=False),
    ] = None,
    profile: Annotated[str, typer.Option(help="How answers are marked: r1, dapo, math_verify, ..")] = "r1",
    *,
    as_json: Json = False,
) -> None:
    """Print the part of a completion that is judged.

    Exit code 0: found. 1: the completion holds no answer; a <think> that is never closed counts as that.
    """
    from assay.rewards import extract as find

    text = _standard_input() if completion in {None, "-"} else _clean(str(completion))
    found = find(text, profile=profile)
    if as_json:
        emit_json(None if found is None else {"text": found.text, "span": found.span, "source": str(found.source)})
    elif found is None:
        sys.stderr.write("assay: no answer found\n")
    else:
        say(found.text)
    raise typer.Exit(0 if found else EXIT_DIFFERENT)


def _clean(argument: str) -> str:
    """An argument as text; bytes that are not UTF-8 become the replacement character, which no answer equals."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _standard_input() -> str:
    from assay.errors import InvalidInputError

    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"standard input: not UTF-8 (byte {error.start + 1}); convert it first") from None
