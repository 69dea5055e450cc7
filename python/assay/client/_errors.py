"""gRPC statuses as the exceptions of `assay.errors`."""

from __future__ import annotations

from typing import Any

from assay.errors import (
    AssayError,
    DeadlineError,
    InvalidInputError,
    InvalidSpecError,
    LimitError,
    UnavailableError,
)

# Trailing metadata of a failed call: the row of the core's error table.
_KIND_KEY = "assay-error"

_BY_KIND: dict[str, type[AssayError]] = {
    "invalid_spec": InvalidSpecError,
    "invalid_input": InvalidInputError,
    "too_large": LimitError,
}

_BY_CODE: dict[str, type[AssayError]] = {
    "INVALID_ARGUMENT": InvalidInputError,
    "FAILED_PRECONDITION": InvalidInputError,
    "RESOURCE_EXHAUSTED": LimitError,
    "OUT_OF_RANGE": LimitError,
    "UNAVAILABLE": UnavailableError,
    "UNAUTHENTICATED": UnavailableError,
    "PERMISSION_DENIED": UnavailableError,
    "UNIMPLEMENTED": UnavailableError,
    "DEADLINE_EXCEEDED": DeadlineError,
}


def translate(error: Any, target: str, timeout: float) -> AssayError:
    """The exception to raise for a `grpc.RpcError`; it says which server and what to do."""
    code: str = error.code().name
    detail: str = error.details() or "no detail"
    metadata = {str(key): value for key, value in error.trailing_metadata() or ()}
    kind = _BY_KIND.get(str(metadata.get(_KIND_KEY))) or _BY_CODE.get(code, AssayError)
    if code == "UNAVAILABLE":
        message = (
            f"no reward server answers at {target} ({detail}); "
            "start one with `assay serve --bind HOST:PORT`, or correct the address"
        )
    elif code == "DEADLINE_EXCEEDED":
        message = f"the reward server at {target} did not finish within {timeout:g} s; raise timeout= or send less"
    elif code == "UNIMPLEMENTED":
        message = f"{target} is not a reward server of this version: {detail}"
    elif kind is AssayError:
        message = f"the reward server at {target} failed with {code}: {detail}"
    else:
        message = f"{detail} (reward server at {target})"
    return kind(message)
