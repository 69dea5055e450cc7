"""`assay load`: load on a reward server, with every result checked."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
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
    tls: Annotated[bool, typer.Option("--tls", help="Speak TLS; so do the four options below.")] = False,
    ca: Annotated[
        Path | None,
        typer.Option(help="Authorities of the servers, PEM. [default: those of this machine]", show_default=False),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(help="This client's certificate, PEM, for servers that want one; with --key.", show_default=False),
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Its key, PEM.", show_default=False)] = None,
    server_name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name in the servers' certificates. [default: the host]", show_default=False),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="The bearer token that servers want. [default: the variable ASSAY_TOKEN]", show_default=False
        ),
    ] = None,
    tenant: Annotated[str | None, typer.Option(metavar="NAME", help="Who the work is for.", show_default=False)] = None,
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
        "tls": tls,
        "server_name": server_name,
        "tenant": tenant,
        "pid": pid,
    }
    files = {"ca": ca, "certificate": certificate, "key": key, "token_file": token_file}
    options |= {name: str(path) for name, path in files.items() if path is not None}
    shown = sys.stderr.isatty()
    ok, interrupted, text, report = run(
        json.dumps(options), lambda line: sys.stderr.write(f"{line}\n") if shown else None
    )
    say(report if as_json else text.rstrip())
    if interrupted:
        return EXIT_INTERRUPTED
    return 0 if ok else 1
