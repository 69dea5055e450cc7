"""`assay report`: run folders as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.commands.output import Json, emit_json, say


def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Run or evaluation folders; several are compared.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option(help="Folder to write into; `report` inside the run if there is only one.", show_default=False),
    ] = None,
    *,
    figures: Annotated[bool, typer.Option(help="Also draw PNG figures (needs matplotlib).")] = True,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page on this machine; reviews go into the run's folder.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="With --serve; 0 takes a free one.")] = 0,
    as_json: Json = False,
) -> None:
    """Write a page about one or several runs.

    It shows curves, tables, alarms, what was collected, traces side by side before and after, and cost beside the plan if
    `assay plan RUN` made one. The page is one HTML file that needs no network. Samples can be accepted, rejected and
    annotated in it; the marks are downloaded as JSON Lines, or with --serve written to RUN/reviews.jsonl. A run that was
    killed, or is still going, is shown as far as it got.
    """
    if serve:
        _serve(runs, port)
        return
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


def _serve(runs: list[Path], port: int) -> None:
    """Serves until Ctrl-C, which is how it ends."""
    import sys

    from assay.report.serve import ReportServer

    server = ReportServer(runs, port=port)
    say(f"serving {server.url} (Ctrl-C ends it)")
    sys.stdout.flush()
    try:
        server.run()
    except KeyboardInterrupt:
        say("stopped; reviews are in the run's reviews.jsonl")
