"""`assay report`: run folders as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.commands.output import Json, emit_json, say


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; several are compared.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(help="Folder to write into; `report` inside the run if there is only one.", show_default=False),
    ] = None,
    *,
    figures: Annotated[bool, typer.Option(help="Also draw PNG figures (needs matplotlib).")] = True,
    as_json: Json = False,
) -> None:
    """Write a page about one or several runs.

    It shows their curves, tables and traces. The page is one HTML file that needs no network. A run that was killed, or is still going, is shown as far as it got.
    """
    from assay.report import build

    made = build(runs, output, figures=figures)
    if as_json:
        emit_json({"html": str(made.html), "figures": [str(path) for path in made.figures], "notes": made.notes})
        return
    for note in made.notes:
        say(f"note: {note}")
    say(f"report: {made.html}")
    if made.figures:
        say(f"figures: {made.figures[0].parent} ({len(made.figures)} PNG files)")
