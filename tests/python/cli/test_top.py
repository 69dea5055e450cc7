"""`assay top` and what it reads."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from assay.commands.scrape import figures, look, parse
from assay.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Assay = Callable[..., Any]

DASHBOARD = Path(__file__).parents[3] / "deploy" / "grafana" / "assay.json"
PAGE = """\
# TYPE grpc_server_handled counter
grpc_server_handled_total{grpc_method="Score",grpc_code="OK"} %d
grpc_server_handling_seconds_bucket{grpc_method="Score",le="0.1"} %d
grpc_server_handling_seconds_bucket{grpc_method="Score",le="0.2"} %d
grpc_server_handling_seconds_bucket{grpc_method="Score",le="+Inf"} %d
assay_items_total{status="scored"} %d
assay_cache_hits_total{cache="scorer"} %d
assay_cache_misses_total{cache="scorer"} 1
process_cpu_seconds_total %f
# EOF
"""


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, str]]:
    """The addresses of a server that has scored a little: of its service and of its metrics."""
    command = [sys.executable, "-m", "assay.cli", "serve", "--bind", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ASSAY_LOG": "info", "ASSAY_LOG_FORMAT": "json"},
    ) as process:
        assert process.stdout
        assert process.stderr
        metrics = re.search(r"http://(\S+)/metrics", json.loads(process.stderr.readline())["message"])
        assert metrics
        address = process.stdout.readline().split()[-1]
        yield address, metrics[1]
        process.kill()


def test_figures_are_of_the_time_between_two_looks() -> None:
    before = parse(PAGE % (10, 10, 10, 10, 100, 5, 1.0), 0.0)
    after = parse(PAGE % (30, 20, 30, 30, 2100, 8, 2.0), 2.0)
    found = figures(before, after)
    assert (found.requests, found.items, found.cpu_cores) == (10.0, 1000.0, 0.5)
    assert found.latency == {"p50": 0.1, "p99": pytest.approx(0.198)}
    assert found.cache_hit_share == {"scorer": 1.0}
    assert math.isnan(found.fuel_mean)
    # A server that started anew counts from its start.
    assert figures(after, parse(PAGE % (4, 4, 4, 4, 40, 0, 0.5), 4.0)).items == 20.0


def test_what_is_no_metrics_page(assay: Assay) -> None:
    with pytest.raises(InvalidInputError, match="not a metrics page"):
        parse("<html>", 0.0)
    with pytest.raises(InvalidInputError, match="HOST:PORT"):
        look("http://x")
    with pytest.raises(UnavailableError, match="--metrics"):
        look("127.0.0.1:1")
    assert "--metrics" in assay("top", "127.0.0.1:1", "--once").mistake


def test_once(assay: Assay, server: tuple[str, str]) -> None:
    address, metrics = server
    before = look(metrics)
    assert assay("load", address, "--requests", 10, "--batch", 8, "--kind", "long-tokens").code == 0
    found = figures(before, look(metrics))
    assert found.items * found.seconds == pytest.approx(80)
    assert found.statuses["invalid_reference"] * found.seconds == pytest.approx(10)
    assert set(found.components) == {"accuracy", "format"}
    assert found.latency["p99"] > 0
    told = assay("top", metrics, "--once", "--interval", 0.05, "--json")
    assert told.json["items"] == 0.0
    assert told.json["latency"] == {"p50": None, "p99": None}
    shown = assay("top", metrics, "--once", "--interval", 0.05)
    assert "items/s" in shown.out
    assert "accuracy" in shown.out
    assert re.search(r"held +0.0 of 134 M tokens", shown.out)
    assert re.search(r"CPU +\d\.\d\d cores", shown.out)


def test_every_metric_of_the_dashboard_is_exported(server: tuple[str, str]) -> None:
    address, metrics = server
    command = [sys.executable, "-m", "assay.cli", "load", address, "--requests", "4"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    exported = set(look(metrics).samples)
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(queries) >= 12
    named = {name for query in queries for name in re.findall(r"\b(?:grpc_server|assay|process)_\w+", query)}
    assert named <= exported
    missing = {name for name in exported if name.startswith("assay_")} - named
    # What a histogram is made of counts once; the others are shown too.
    left = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in missing}
    shown = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in named}
    assert left - shown == set()
