"""`assay load`: load on a reward server, with every result checked."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from assay.commands.output import Json, say

EXIT_INTERRUPTED = 130


class Kind(StrEnum):
    """What the items are."""

    SHORT = "short"
    LONG_TEXT = "long-text"
    LONG_TOKENS = "long-tokens"


def load(  # noqa: PLR0913 - each is an option of the command
    target: Annotated[
        str, typer.Argument(metavar="HOST:PORT", help="A server, or several separated by commas.", show_default=False)
    ],
    *,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="PER_SECOND", help="Open loop: send so many requests per second, on time.", show_default=False
        ),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(metavar="N", help="Closed loop: requests in flight. Open loop: most of them.")
    ] = 8,
    connections: Annotated[int, typer.Option(metavar="N", help="Connections; requests take turns among them.")] = 1,
    batch: Annotated[int, typer.Option(metavar="N", help="Items in each request.")] = 256,
    kind: Annotated[
        Kind, typer.Option(help="What the items are: one line, or 4,096 tokens as text or as ids.")
    ] = Kind.SHORT,
    seconds: Annotated[float, typer.Option(help="How long to send.")] = 10.0,
    requests: Annotated[
        int | None, typer.Option(metavar="N", help="Stop after so many requests.", show_default=False)
    ] = None,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Deadline of each request.")] = 60.0,
    retry: Annotated[bool, typer.Option("--retry", help="Call through assay's client, which tries again.")] = False,
    allow_shed: Annotated[
        bool, typer.Option("--allow-shed", help="A request that the server turns away is no failure.")
    ] = False,
    pid: Annotated[
        int | None, typer.Option(help="Process id of a local server: report its CPU and memory.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:
    """Make load on a reward server, check every result, and tell how long requests took.

    With --rate, requests leave at a constant rate whatever the server does, and their time counts from when they should
    have left, so that a stall cannot hide those that waited. Without it, --concurrency requests are kept in flight.

    The items are made up and their right results known: exit code 1 when one was lost, doubled, different or missing, or
    when a request failed. Ctrl-C ends the load early, with the report of what was sent; exit code 130.
    """
    from assay._native import load as run

    options = {
        "target": target,
        "rate": rate,
        "concurrency": concurrency,
        "connections": connections,
        "batch": batch,
        "kind": kind.value,
        "seconds": seconds,
        "requests": requests,
        "timeout": timeout,
        "retry": retry,
        "allow_shed": allow_shed,
        "pid": pid,
    }
    shown = sys.stderr.isatty()
    ok, interrupted, text, report = run(
        json.dumps(options), lambda line: sys.stderr.write(f"{line}\n") if shown else None
    )
    say(report if as_json else text.rstrip())
    if interrupted:
        return EXIT_INTERRUPTED
    return 0 if ok else 1
