"""The process in which a plug-in runs: `python -m assay.plugin.worker package.module:function`.

Messages are four bytes of length, little-endian, and JSON. They travel over what were standard input and output when the
process began; before any of the user's code runs, those two are moved to private descriptors, standard input becomes empty,
and whatever is printed goes to standard error. A thread reads the requests: when the other side is gone, the process and
everything that it started are killed, even in the middle of a call.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import math
import os
import queue
import signal
import struct
import sys
import threading
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_HEADER = struct.Struct("<I")
_LONGEST_REASON = 300


def main(target: str) -> None:
    """Serves calls until the other side closes its end."""
    requests, replies = _private_channel()
    try:
        function = load(target)
    except BaseException as error:  # noqa: BLE001 - whatever the module does, the other side has to hear of it
        _send(replies, {"error": f"cannot load {target}: {_reason(error)}"})
        return
    _send(replies, {"ready": True})
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, waiting), daemon=True).start()
    while True:
        _send(replies, call(function, waiting.get()))


def load(target: str) -> Callable[..., Any]:
    """The function that `package.module:function` names; dots after the colon go into classes.

    Raises:
        ValueError: the target has not this form.
        ImportError, AttributeError: there is no such module or function.
        TypeError: it cannot be called.
    """
    module, _, path = target.partition(":")
    if not module or not path:
        raise ValueError("not package.module:function")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    if not callable(found):
        raise TypeError(f"{path} is a {type(found).__name__} and no function")
    return cast("Callable[..., Any]", found)


def call(function: Callable[..., Any], request: dict[str, Any]) -> dict[str, Any]:
    """One call: `{"values": [...]}` with a number or a sentence for each completion, or `{"error": ...}`."""
    count = len(request["completions"])
    try:
        given = function(**_wanted(function, request))
        if inspect.isawaitable(given):
            given = asyncio.run(_awaited(given))
        values = _listed(given)
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt of the user's code too
        return {"error": f"it raised {_reason(error)}"}
    if isinstance(values, str):
        return {"error": values}
    if len(values) != count:
        return {"error": f"it gave {len(values)} values for {count} completion{'s' * (count != 1)}"}
    return {"values": [_number(value) for value in values]}


async def _awaited(given: Awaitable[Any]) -> Any:
    return await given


def _wanted(function: Callable[..., Any], request: dict[str, Any]) -> dict[str, Any]:
    """The arguments that the function takes."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some callables of C have no signature
        return request
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return request
    names = {parameter.name for parameter in parameters}
    return {name: value for name, value in request.items() if name in names}


def _listed(given: object) -> Sequence[object] | str:
    """The values as a list, or what is wrong with them."""
    as_list = getattr(given, "tolist", None)  # numpy and torch
    if callable(as_list):
        given = as_list()
    if isinstance(given, list | tuple):
        return cast("Sequence[object]", given)
    return f"it gave a {type(given).__name__} and no list of numbers"


def _number(value: object) -> float | str:
    """A finite number, or why there is none."""
    if value is None:
        return "it gave None"
    if not (hasattr(type(value), "__float__") or hasattr(type(value), "__index__")):
        return f"it gave a {type(value).__name__} and no number"
    try:
        number = float(cast("float", value))
    except Exception as error:  # noqa: BLE001 - `__float__` is the user's code
        return f"it gave a {type(value).__name__} that is no number: {_reason(error)}"
    return number if math.isfinite(number) else f"it gave {number}"


def _reason(error: BaseException) -> str:
    """The error in one short line."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return line[:_LONGEST_REASON].encode("utf-8", "replace").decode()


def _private_channel() -> tuple[IO[bytes], IO[bytes]]:
    """Moves the channel away from the descriptors that everybody writes to."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, replies


def _read(requests: IO[bytes], waiting: queue.SimpleQueue[dict[str, Any]]) -> None:
    while True:
        header = requests.read(_HEADER.size)
        body = requests.read(_HEADER.unpack(header)[0]) if len(header) == _HEADER.size else b""
        if not body:
            os.killpg(0, signal.SIGKILL)
        waiting.put(json.loads(body))


def _send(replies: IO[bytes], message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    replies.write(_HEADER.pack(len(body)) + body)
    replies.flush()


if __name__ == "__main__":
    main(sys.argv[1])
