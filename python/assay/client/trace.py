"""The trace that a call belongs to."""

from __future__ import annotations

import sys


def current() -> tuple[str, str] | None:
    """The W3C headers `traceparent` and `tracestate` of the active OpenTelemetry span, if there is one.

    A span can only be active where the API has been imported, so it is never imported for this.
    """
    if "opentelemetry.trace" not in sys.modules:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    parent = headers.get("traceparent")
    return None if parent is None else (parent, headers.get("tracestate", ""))
