"""Gives servers new weights: pause, update, check, continue; and says how long each part took.

A sync ends in one of two ways. Either every server confirmed the new version (and, when asked, checksums of its
weights), or ``UnavailableError`` says what failed; then the servers' requests in flight were given up, and whoever
generates must not use these servers again before a sync succeeds.
"""

from __future__ import annotations

import ipaddress
import itertools
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from assay.errors import UnavailableError
from assay.rollout.sglang.checksums import Comparison, compare
from assay.rollout.sglang.client import RefusedError, Target
from assay.rollout.sglang.options import SyncOptions, SyncReport
from assay.rollout.sglang.paths import DiskPath, DistributedPath, TensorPath, TransferPath, each
from assay.rollout.sglang.weights import checkpoint_tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from assay.rollout.types import NamedTensors

_SHOWN = 5


class WeightSync:
    """Pushes versions of a learner's weights to a set of servers. Not safe to call from two threads at once."""

    def __init__(self, options: SyncOptions) -> None:
        self.options = options
        self._path: TransferPath | None = None
        self._path_name = ""
        self._pushed = 0

    def push(self, targets: Sequence[Target], version: int, label: str, named_tensors: NamedTensors) -> SyncReport:
        """Gives all servers new weights.

        Args:
            targets: The servers.
            version: For the report.
            label: What the servers are to call these weights; must be new to them.
            named_tensors: Called once, and once more for a verification.

        Raises:
            UnavailableError: Some server does not have the weights. None of them may be used before a push succeeds.
        """
        path = self._choose(targets)
        marks = [time.perf_counter()]
        outcome = Comparison()
        try:
            each(targets, lambda target: target.client.pause(self.options.pause))
            marks.append(time.perf_counter())
            tensors, size = self._session(
                path, targets, lambda: path.send(targets, label, checkpoint_tensors(named_tensors()))
            )
            each(targets, lambda target: _confirm(target, label))
            marks.append(time.perf_counter())
            if self.options.verify == "always" or (self.options.verify == "first" and not self._pushed):
                outcome = self.verify(targets, named_tensors)
            marks.append(time.perf_counter())
            each(targets, lambda target: target.client.resume())
            marks.append(time.perf_counter())
        except (UnavailableError, OSError, RuntimeError) as error:
            _give_up(targets)
            raise UnavailableError(f"weights of version {version} did not reach the servers: {error}") from error
        except BaseException:
            _give_up(targets)
            raise
        self._pushed += 1
        pause, transfer, verify, resume = (after - before for before, after in itertools.pairwise(marks))
        return SyncReport(
            version=version,
            path=self._path_name,
            servers=len(targets),
            tensors=tensors,
            bytes=size,
            pause_s=pause,
            transfer_s=transfer,
            verify_s=verify,
            resume_s=resume,
            verified=outcome.equal,
            unverified=len(outcome.unknown),
        )

    def restore(self, target: Target, label: str) -> None:
        """Brings one server that restarted back to the weights of the last push.

        Raises:
            UnavailableError: It did not work, or nothing was kept.
        """
        path = self._path
        if path is None:
            raise UnavailableError("no weights were pushed yet")
        try:
            target.client.pause("abort")
            self._session(path, [target], lambda: path.resend(target, label))
            _confirm(target, label)
            target.client.resume()
        except BaseException:
            _give_up([target])
            raise

    def verify(self, targets: Sequence[Target], named_tensors: NamedTensors) -> Comparison:
        """Compares checksums of every server's weights with the learner's, tensor by tensor.

        A server with tensor parallelism holds parts; there only its norms, which every rank holds whole, are compared.

        Returns:
            The comparison of the last server (they all have to agree with the learner).

        Raises:
            UnavailableError: A tensor differs, a server cannot compute checksums, or nothing could be compared.
        """
        weights = dict(checkpoint_tensors(named_tensors()))
        outcome = Comparison()
        for target in targets:
            try:
                answer = target.client.control("/weights_checker", {"action": "checksum"})
            except RefusedError as error:
                # Releases up to 0.5.17 compute checksums on a GPU only.
                raise UnavailableError(f'{error}; sync.verify = "never" does without checksums') from error
            ranks = [dict(rank["checksums"]) for rank in answer.get("ranks", [])]
            outcome = _compare(ranks, weights, target.info.device)
            if outcome.different:
                shown = ", ".join(outcome.different[:_SHOWN])
                raise UnavailableError(
                    f"{target.client.url} does not hold the learner's weights: {len(outcome.different)} of "
                    f"{len(outcome.different) + outcome.equal} tensors differ ({shown})"
                )
            if not outcome.equal:
                raise UnavailableError(f"{target.client.url} returned no checksum that can be compared")
        return outcome

    def close(self) -> None:
        """Releases copies, files and the process group."""
        if self._path is not None:
            self._path.close()
            self._path = None

    def _choose(self, targets: Sequence[Target]) -> TransferPath:
        if self._path is None:
            name = self.options.path
            if name == "auto":
                name = "shared_memory" if all(_is_local(target.client.host) for target in targets) else "value"
            self._path_name = name
            if name == "disk":
                self._path = DiskPath(self.options)
            elif name == "distributed":
                self._path = DistributedPath(self.options)
            else:
                self._path = TensorPath(self.options, shared=name == "shared_memory")
        return self._path

    def _session(
        self, path: TransferPath, targets: Sequence[Target], transfer: Callable[[], tuple[int, int] | None]
    ) -> tuple[int, int]:
        if path.in_session:
            each(targets, _begin)
        sent = transfer()
        if path.in_session:
            each(targets, _end)
        return sent or (0, 0)


def _begin(target: Target) -> None:
    try:
        target.client.control("/begin_weight_update", {"selector": "all"})
    except RefusedError as error:
        if "already open" in str(error):  # left by a learner that died in the middle of a sync
            _end(target)
            target.client.control("/begin_weight_update", {"selector": "all"})
        elif error.status != 404:  # releases up to 0.5.17 have no sessions and need none
            raise


def _end(target: Target) -> None:
    try:
        target.client.control("/end_weight_update", {})
    except RefusedError as error:
        if error.status != 404:
            raise


def _confirm(target: Target, label: str) -> None:
    found = target.client.weight_version()
    if found != label:
        raise UnavailableError(f"{target.client.url} serves weights {found!r} after it was given {label!r}")


def _give_up(targets: Sequence[Target]) -> None:
    """Leaves no server paused and no request to answer with weights of which nobody knows the version."""
    for target in targets:
        with suppress(UnavailableError):
            target.client.control("/end_weight_update", {})
        target.client.abort_all()
        with suppress(UnavailableError):
            target.client.resume()


def _compare(ranks: Sequence[dict[str, str]], weights: dict[str, Tensor], device: str) -> Comparison:
    if len(ranks) == 1:
        return compare(ranks[0], weights, device=device)
    names = list(ranks[0]) if ranks else []
    whole = {name for name in names if "norm" in name}
    outcome = Comparison(unknown=[name for name in names if name not in whole])
    for rank in ranks:
        found = compare({name: checksum for name, checksum in rank.items() if name in whole}, weights, device=device)
        outcome.equal = found.equal
        outcome.different += found.different
    return outcome


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
