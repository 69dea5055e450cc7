"""The metrics of a reward server, read over HTTP, as figures of the time between two looks."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from assay.errors import InvalidInputError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Labels: TypeAlias = frozenset[tuple[str, str]]
SAMPLE = re.compile(r"(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
LONGEST_WAIT = 10.0
LARGEST_PAGE = 16 << 20


@dataclass(frozen=True)
class Look:
    """All samples of one moment, by name and labels."""

    at: float
    samples: Mapping[str, Mapping[Labels, float]]

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples of a name that have these labels; 0 when there are none."""
        wanted = set(labels.items())
        return sum(value for found, value in self.samples.get(name, {}).items() if wanted <= found)

    def by(self, name: str, label: str) -> dict[str, float]:
        """The samples of a name, summed by the value of one label."""
        sums: dict[str, float] = {}
        for labels, value in self.samples.get(name, {}).items():
            key = dict(labels).get(label, "")
            sums[key] = sums.get(key, 0.0) + value
        return sums


def parse(text: str, at: float) -> Look:
    """Reads the text format of OpenMetrics or Prometheus.

    Raises:
        InvalidInputError: a line is no sample.
    """
    samples: dict[str, dict[Labels, float]] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        if match is None:
            raise InvalidInputError(f"not a metrics page: {line[:80]!r}")
        labels = frozenset(LABEL.findall(match["labels"] or ""))
        samples.setdefault(match["name"], {})[labels] = float(match["value"])
    return Look(at, samples)


def look(target: str) -> Look:
    """Reads the metrics at `HOST:PORT`.

    Raises:
        InvalidInputError: `target` is no address, or what answers is no metrics page.
        UnavailableError: nothing answers.
    """
    import http.client
    import urllib.request

    if not re.fullmatch(r"[^\s/]+:\d+", target):
        raise InvalidInputError(f"{target!r} is not HOST:PORT, the address that --metrics of the server names")
    try:
        with urllib.request.urlopen(f"http://{target}/metrics", timeout=LONGEST_WAIT) as page:
            text = page.read(LARGEST_PAGE).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise UnavailableError(
            f"no metrics at {target} ({reason}); start the server with --metrics {target}"
        ) from error
    return parse(text, time.monotonic())


@dataclass(frozen=True)
class Figures:
    """What a server did between two looks. Rates are per second, times seconds; NaN where nothing happened."""

    seconds: float
    version: str
    threads: int
    requests: float
    items: float
    statuses: dict[str, float]
    codes: dict[str, float]
    latency: dict[str, float]
    queue: dict[str, float]
    queue_depth: int
    inflight: int
    held_tokens: int
    held_limit_tokens: int
    shed: float
    components: dict[str, float]
    cache_hit_share: dict[str, float]
    fuel_mean: float
    cpu_cores: float
    memory_bytes: int


def figures(before: Look, after: Look) -> Figures:
    """What happened between two looks at one server. One that started anew in between counts from its start."""
    seconds = max(after.at - before.at, 1e-9)
    restarted = after.total("process_cpu_seconds_total") < before.total("process_cpu_seconds_total")
    base = Look(before.at, {}) if restarted else before

    def rate(name: str, **labels: str) -> float:
        return (after.total(name, **labels) - base.total(name, **labels)) / seconds

    def rates(name: str, label: str) -> dict[str, float]:
        old = base.by(name, label)
        return {key: (value - old.get(key, 0.0)) / seconds for key, value in sorted(after.by(name, label).items())}

    def share(part: Callable[[str], float], other: Callable[[str], float], keys: list[str]) -> dict[str, float]:
        return {key: part(key) / (part(key) + other(key)) if part(key) + other(key) else math.nan for key in keys}

    def mean(name: str, **labels: str) -> float:
        count = rate(f"{name}_count", **labels)
        return rate(f"{name}_sum", **labels) / count if count else math.nan

    caches = sorted(after.by("assay_cache_hits_total", "cache"))
    kinds = sorted(after.by("assay_component_seconds_count", "kind"))
    info = next(iter(after.samples.get("assay_server_info", {})), frozenset[tuple[str, str]]())
    return Figures(
        seconds=seconds,
        version=dict(info).get("version", "?"),
        threads=int(after.total("assay_threads")),
        requests=rate("grpc_server_handled_total", grpc_method="Score"),
        items=rate("assay_items_total"),
        statuses=rates("assay_items_total", "status"),
        codes=rates("grpc_server_handled_total", "grpc_code"),
        latency=_quantiles(base, after, "grpc_server_handling_seconds", grpc_method="Score"),
        queue=_quantiles(base, after, "assay_queue_seconds"),
        queue_depth=int(after.total("assay_queue_depth")),
        inflight=int(after.total("assay_inflight")),
        held_tokens=int(after.total("assay_held_tokens")),
        held_limit_tokens=int(after.total("assay_held_limit_tokens")),
        shed=rate("assay_shed_total"),
        components={kind: mean("assay_component_seconds", kind=kind) for kind in kinds},
        cache_hit_share=share(
            lambda cache: rate("assay_cache_hits_total", cache=cache),
            lambda cache: rate("assay_cache_misses_total", cache=cache),
            caches,
        ),
        fuel_mean=mean("assay_fuel"),
        cpu_cores=rate("process_cpu_seconds_total"),
        memory_bytes=int(after.total("process_resident_memory_bytes")),
    )


def _quantiles(before: Look, after: Look, name: str, **labels: str) -> dict[str, float]:
    """p50 and p99 of a histogram, by interpolation within a bucket as Prometheus does it."""
    buckets: dict[float, float] = {}
    for sign, moment in ((-1.0, before), (1.0, after)):
        for found, value in moment.samples.get(f"{name}_bucket", {}).items():
            if set(labels.items()) <= found:
                bound = float(dict(found)["le"])
                buckets[bound] = buckets.get(bound, 0.0) + sign * value
    return {"p50": _quantile(sorted(buckets.items()), 0.5), "p99": _quantile(sorted(buckets.items()), 0.99)}


def _quantile(buckets: list[tuple[float, float]], share: float) -> float:
    """`buckets` are (upper bound, cumulative count). What lies beyond the last finite bound is reported as that bound."""
    if not buckets or buckets[-1][1] <= 0:
        return math.nan
    wanted = share * buckets[-1][1]
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            return low if math.isinf(bound) else low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return low
