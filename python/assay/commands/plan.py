"""`assay plan`: what a recipe takes before it runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from assay.commands.output import Json


class Schedule(StrEnum):
    """How generation and training share the devices."""

    SYNC = "sync"
    ASYNC = "async"


def plan(  # noqa: PLR0913 - one parameter an option
    recipe: Annotated[
        Path | None,
        typer.Argument(help="A recipe in TOML, or the folder of a run, which is then compared.", show_default=False),
    ] = None,
    *,
    hardware: Annotated[
        str | None,
        typer.Option(
            metavar="NAME:COUNT",
            help="h800, h100, h200, h20, a100, b200, mi300x, rtx4090, or `local`: this machine, measured.",
            show_default=False,
        ),
    ] = None,
    scale: Annotated[str | None, typer.Option(help="The [scale.NAME] of the recipe.", show_default=False)] = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe; may be repeated."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A known model or a folder with a config.json, instead of the recipe's.", show_default=False),
    ] = None,
    prompt_length: Annotated[
        float | None, typer.Option(min=1, help="Mean tokens of a prompt; 200 by default.", show_default=False)
    ] = None,
    response_length: Annotated[
        float | None,
        typer.Option(min=1, help="Mean tokens of a completion; 0.4 of the longest by default.", show_default=False),
    ] = None,
    spread: Annotated[float, typer.Option(min=0, help="Standard deviation of that over its mean.")] = 0.7,
    schedule: Annotated[
        Schedule | None,
        typer.Option(
            help="All devices in turn, or split; by default as each stage's `pipeline` says.", show_default=False
        ),
    ] = None,
    generate_share: Annotated[float, typer.Option(help="With async: the part of the devices that generates.")] = 0.5,
    tensor_parallel: Annotated[
        int | None, typer.Option(min=1, help="Devices of one engine; the fastest by default.", show_default=False)
    ] = None,
    offload: Annotated[bool, typer.Option("--offload", help="The learner's states are in host memory.")] = False,
    price: Annotated[
        float | None, typer.Option(min=0, help="US dollars of one device an hour.", show_default=False)
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Change an assumption, as in mfu=0.4; may be repeated."),
    ] = None,
    rehearsal: Annotated[
        bool, typer.Option("--simulate", help="Also simulate the RL stages, event by event, sync and async.")
    ] = False,
    staleness: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Of the simulation: the most versions a sample may be old; by default the stage's `max_staleness`, or 1.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulation.")] = 0,
    check: Annotated[bool, typer.Option("--check", help="Hold the formulas against published runs.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(help="Also write the plan here as JSON; plan.json inside a run by default.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Predict memory, time, tokens, money, energy and the bottleneck of every stage.

    Everything follows from stated formulas (docs/plan.md) and from assumptions that are printed with the plan. Given a run
    folder, the plan stands beside what was measured, and `assay report` shows both. Exits with 1 if something does not
    fit.
    """
    from assay.commands.planning import Request, run

    if check:
        from assay.commands.planning_tables import print_checks

        print_checks(as_json=as_json)
        return
    request = Request(
        recipe=recipe,
        hardware=hardware,
        scale=scale,
        overrides=override or [],
        model=model,
        prompt_length=prompt_length,
        response_length=response_length,
        spread=spread,
        schedule=None if schedule is None else schedule.value,
        generate_share=generate_share,
        tensor_parallel=tensor_parallel,
        offload=offload,
        price=price,
        assume=assume or [],
        simulate=rehearsal,
        staleness=staleness,
        seed=seed,
        output=output,
        as_json=as_json,
    )
    if not run(request):
        raise typer.Exit(1)
