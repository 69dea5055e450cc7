"""`assay top`: what a reward server does now."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import TYPE_CHECKING, Annotated

import typer

from assay.commands.output import Json, emit_json

if TYPE_CHECKING:
    from rich.console import Group

    from assay.commands.scrape import Figures

MIB = 1024.0 * 1024.0


def top(
    target: Annotated[
        str,
        typer.Argument(metavar="HOST:PORT", help="The metrics address of a server: its --metrics.", show_default=False),
    ],
    *,
    interval: Annotated[float, typer.Option(min=0.05, max=3600.0, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Show one interval and exit.")] = False,
    as_json: Json = False,
) -> None:
    """Watch a reward server: load, latency, queue, what became of items, components, caches, memory.

    Figures are of the last interval. With --once --json, they are one JSON object, for scripts: rates per second, times in
    seconds, null where nothing happened.
    """
    from assay.commands.scrape import figures, look

    if once or as_json:
        before = look(target)
        time.sleep(interval)
        found = figures(before, look(target))
        if as_json:
            emit_json(dataclasses.asdict(found))
        else:
            from rich.console import Console

            Console(highlight=False).print(page(target, found))
        return
    _live(target, interval)


def _live(target: str, interval: float) -> None:
    from rich.live import Live
    from rich.text import Text

    from assay.commands.scrape import figures, look
    from assay.errors import UnavailableError

    before = look(target)
    with Live(Text(f"{target}: looking for {interval:g} s"), auto_refresh=False, screen=False) as live:
        while True:
            time.sleep(interval)
            try:
                after = look(target)
            except UnavailableError as error:
                # It may be starting anew; its first look then counts from its start.
                live.update(Text(str(error), style="red"), refresh=True)
                continue
            live.update(page(target, figures(before, after)), refresh=True)
            before = after


def page(target: str, found: Figures) -> Group:
    """The figures as a screen."""
    from rich import box
    from rich.columns import Columns
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    def table(title: str, rows: dict[str, str]) -> Table:
        grid = Table(title=title, title_justify="left", box=box.SIMPLE, show_header=False, pad_edge=False)
        grid.add_column(no_wrap=True, min_width=17)
        grid.add_column(no_wrap=True, justify="right")
        for name, value in rows.items():
            grid.add_row(Text(name), Text(value))
        return grid

    load = {
        "items/s": f"{found.items:,.0f}",
        "requests/s": f"{found.requests:,.1f}",
        "latency p50": _time(found.latency["p50"]),
        "latency p99": _time(found.latency["p99"]),
        "turned away/s": f"{found.shed:,.1f}",
    }
    queue = {
        "waiting": f"{found.queue_depth:,}",
        "in work": f"{found.inflight:,}",
        "wait p99": _time(found.queue["p99"]),
        "held": f"{found.held_tokens / 1e6:,.1f} of {found.held_limit_tokens / 1e6:,.0f} M tokens",
        "CPU": f"{found.cpu_cores:.2f} cores",
        "memory": f"{found.memory_bytes / MIB:,.1f} MiB",
    }
    statuses = {f"{status}/s": f"{rate:,.1f}" for status, rate in found.statuses.items()}
    components = {kind: _time(seconds) for kind, seconds in found.components.items()}
    components["fuel, where any"] = _number(found.fuel_mean)
    others = {f"{cache} cache": _share(value) for cache, value in found.cache_hit_share.items()}
    others |= {f"{code}/s": f"{rate:,.1f}" for code, rate in found.codes.items() if rate or code == "OK"}
    # As many beside each other as the terminal is wide.
    titled = {"Load": load, "Queue": queue, "Items": statuses, "Components": components, "Caches and codes": others}
    columns = Columns([table(title, rows) for title, rows in titled.items()], padding=(0, 3))
    head = Text(
        f"assay-server {found.version} at {target}, {found.threads} scoring threads, last {found.seconds:.1f} s"
    )
    return Group(head, columns)


def _time(seconds: float) -> str:
    if math.isnan(seconds):
        return "-"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:,.0f}"


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.0%} hits"
