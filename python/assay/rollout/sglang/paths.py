"""The ways weights travel to servers. Each keeps what it sent, so that a server that restarted can be brought back."""

from __future__ import annotations

import shutil
import socket
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from torch import distributed as dist
from torch.distributed import distributed_c10d as c10d

from assay.errors import UnavailableError
from assay.rollout.sglang.weights import Bucket, flatten, serialise, shards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torch import Tensor

    from assay.rollout.sglang.client import Target
    from assay.rollout.sglang.options import SyncOptions

T = TypeVar("T")

_REQUEST_BYTES = 64 * 2**20


class TransferPath(Protocol):
    """One way for weights to reach servers that are paused.

    Attributes:
        in_session: Whether the calls must lie between ``/begin_weight_update`` and ``/end_weight_update``.
    """

    in_session: ClassVar[bool]

    def send(self, targets: Sequence[Target], label: str, named: Iterable[tuple[str, Tensor]]) -> tuple[int, int]:
        """Sends every tensor to every server and labels the weights; returns the tensors and bytes of one copy."""
        ...

    def resend(self, target: Target, label: str) -> None:
        """Sends the weights of the last ``send`` to one server again."""
        ...

    def close(self) -> None:
        """Releases memory, files and connections."""
        ...


def each(targets: Sequence[Target], action: Callable[[Target], object]) -> None:
    """Runs ``action`` for all targets at once, waits for all, and raises what failed first in their order."""
    with ThreadPoolExecutor(len(targets), thread_name_prefix="sglang-sync") as pool:
        running = [pool.submit(action, target) for target in targets]
    for call in running:
        call.result()


class TensorPath:
    """``/update_weights_from_tensor``: by value inside the request, or by the name of shared memory (same machine)."""

    in_session: ClassVar[bool] = True

    def __init__(self, options: SyncOptions, *, shared: bool) -> None:
        self._options = options
        self._shared = shared
        # Inside a request the bytes exist several times on both sides (pickle, base64, JSON).
        self._bucket_bytes = options.bucket_bytes if shared else min(options.bucket_bytes, _REQUEST_BYTES)
        self._kept: list[Bucket] = []

    def send(self, targets: Sequence[Target], label: str, named: Iterable[tuple[str, Tensor]]) -> tuple[int, int]:
        """See ``TransferPath``."""
        self._kept = []
        count = size = 0
        for shard, last in _marked(shards(named, self._bucket_bytes)):
            bucket = flatten(shard)
            self._update(targets, bucket, label if last else None)
            count += len(bucket.names)
            size += bucket.data.nbytes
            if self._options.keep:
                self._kept.append(bucket)
        return count, size

    def resend(self, target: Target, label: str) -> None:
        """See ``TransferPath``."""
        if not self._kept:
            raise UnavailableError("the last weights were not kept (sync.keep is false): push new ones")
        named = (pair for bucket in self._kept for pair in bucket.tensors())
        for shard, last in _marked(shards(named, self._bucket_bytes)):
            self._update([target], flatten(shard), label if last else None)

    def close(self) -> None:
        """See ``TransferPath``."""
        self._kept = []

    def keep(self, bucket: Bucket) -> None:
        """Remembers a bucket for ``resend`` without sending it."""
        self._kept.append(bucket)

    def _update(self, targets: Sequence[Target], bucket: Bucket, label: str | None) -> None:
        message = serialise(bucket, shared=self._shared)
        body = {"load_format": "flattened_bucket", **_finish(self._options, label)}
        each(
            targets,
            lambda target: target.client.control(
                "/update_weights_from_tensor", body | {"serialized_named_tensors": [message] * target.info.tp_size}
            ),
        )


class DiskPath:
    """``/update_weights_from_disk``: safetensors in a folder that the servers can read too."""

    in_session: ClassVar[bool] = False

    def __init__(self, options: SyncOptions) -> None:
        self._options = options
        self._made = None if options.directory is not None else tempfile.mkdtemp(prefix="assay-weights-")
        self._root = Path(options.directory or self._made or "")
        self._folder: Path | None = None

    def send(self, targets: Sequence[Target], label: str, named: Iterable[tuple[str, Tensor]]) -> tuple[int, int]:
        """See ``TransferPath``. The folder of the version before is removed once no server needs it."""
        from safetensors.torch import save_file

        self._root.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix="partial-", dir=self._root))
        count = size = 0
        for number, shard in enumerate(shards(named, self._options.bucket_bytes)):
            tensors = {name: tensor.to("cpu").contiguous() for name, tensor in shard}
            save_file(tensors, partial / f"model-{number:05d}.safetensors", metadata={"format": "pt"})
            count += len(tensors)
            size += sum(tensor.nbytes for tensor in tensors.values())
        folder = partial.rename(self._root / f"weights-{label}")
        each(targets, lambda target: self._update(target, folder, label))
        before, self._folder = self._folder, folder
        if before is not None and before != folder:
            shutil.rmtree(before, ignore_errors=True)
        return count, size

    def resend(self, target: Target, label: str) -> None:
        """See ``TransferPath``."""
        if self._folder is None:
            raise UnavailableError("no weights were written yet")
        self._update(target, self._folder, label)

    def close(self) -> None:
        """See ``TransferPath``. A folder that the caller named keeps the last weights."""
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)

    def _update(self, target: Target, folder: Path, label: str) -> None:
        body = {"model_path": str(folder), **_finish(self._options, label)}
        target.client.control("/update_weights_from_disk", body)


class DistributedPath:
    """``/update_weights_from_distributed``: rank 0 of a process group of its own (here) broadcasts flat buckets.

    The group has rank 0 here and one rank for each tensor-parallel rank of each server. It is joined on the first
    ``send`` and again after a failure or a change of servers.
    """

    in_session: ClassVar[bool] = True

    def __init__(self, options: SyncOptions) -> None:
        self._options = options
        self._group: dist.ProcessGroup | None = None
        self._name = ""
        self._members: list[Target] = []
        self._joined = 0
        # A server that restarted is not in the group; it gets the kept copy the way that needs none.
        self._snapshot = TensorPath(options, shared=False)

    def send(self, targets: Sequence[Target], label: str, named: Iterable[tuple[str, Tensor]]) -> tuple[int, int]:
        """See ``TransferPath``."""
        if self._group is None or self._members != list(targets):
            self._join(targets)
        self._snapshot.close()
        count = size = 0
        try:
            for shard, last in _marked(shards(named, self._options.bucket_bytes)):
                bucket = flatten(shard, device="cpu" if self._options.backend == "gloo" else None)
                self._broadcast(targets, bucket, label if last else None)
                count += len(bucket.names)
                size += bucket.data.nbytes
                if self._options.keep:
                    self._snapshot.keep(flatten(shard) if bucket.data.is_cuda else bucket)
        except BaseException:
            self._group = None  # its members no longer agree on what comes next
            raise
        return count, size

    def resend(self, target: Target, label: str) -> None:
        """See ``TransferPath``. The group is joined anew on the next ``send``."""
        self._group = None
        self._snapshot.resend(target, label)

    def close(self) -> None:
        """See ``TransferPath``."""
        self._snapshot.close()
        group, self._group = self._group, None
        if group is None:
            return
        body = {"group_name": self._name}
        with ThreadPoolExecutor(len(self._members)) as pool:
            leaving = [pool.submit(_leave, target, body) for target in self._members]
            dist.destroy_process_group(group)
        for call in leaving:
            call.result()

    def _join(self, targets: Sequence[Target]) -> None:
        options = self._options
        self._members = list(targets)
        self._joined += 1
        self._name = f"assay-weights-{self._joined}"
        world = 1 + sum(target.info.tp_size for target in targets)
        port = options.master_port or _free_port()
        body = {
            "master_address": options.master_address,
            "master_port": port,
            "world_size": world,
            "group_name": self._name,
            "backend": options.backend,
        }
        pool = ThreadPoolExecutor(len(targets) + 1, thread_name_prefix="sglang-join")
        try:
            calls: list[Future[Any]] = []
            offset = 1
            for target in targets:
                request = body | {"rank_offset": offset}
                calls.append(pool.submit(target.client.control, "/init_weights_update_group", request))
                offset += target.info.tp_size
            group = pool.submit(_process_group, options, port, world, self._name)
            _settle([*calls, group])
        finally:
            pool.shutdown(wait=False)
        self._group = group.result()

    def _broadcast(self, targets: Sequence[Target], bucket: Bucket, label: str | None) -> None:
        assert self._group is not None, "joined before"
        body = {
            "names": bucket.names,
            "dtypes": [str(bucket.dtype).removeprefix("torch.")] * len(bucket.names),
            "shapes": [list(shape) for shape in bucket.shapes],
            "group_name": self._name,
            "load_format": "flattened_bucket",
            **_finish(self._options, label),
        }
        pool = ThreadPoolExecutor(len(targets), thread_name_prefix="sglang-sync")
        try:
            calls = [pool.submit(t.client.control, "/update_weights_from_distributed", body) for t in targets]
            sending = dist.broadcast(bucket.data, src=0, group=self._group, async_op=True)
            assert sending is not None, "this process is rank 0 of the group"
            _settle([*calls, pool.submit(sending.wait)])
        finally:
            pool.shutdown(wait=False)


def _process_group(options: SyncOptions, port: int, world: int, name: str) -> dist.ProcessGroup:
    """Joins as rank 0 exactly as the servers do.

    A group beside the default one, with members that are not in it, has no public constructor in torch; the servers
    use this one, and both sides have to derive the same keys from the same store.
    """
    timeout = timedelta(seconds=options.group_timeout_s)
    # Not the `tcp://` rendezvous that the servers use: under torchrun that would answer with torchrun's own store.
    address = (options.master_address, port)
    store = dist.TCPStore(*address, world, is_master=True, timeout=timeout)  # pyright: ignore[reportPrivateImportUsage]
    group, _ = c10d._new_process_group_helper(  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        world,
        0,
        [],
        c10d.Backend(options.backend),
        c10d.PrefixStore(name, store),
        group_name=name,  # pyright: ignore[reportArgumentType] - a NewType of str
        timeout=timeout,
    )
    assert isinstance(group, dist.ProcessGroup), "this process is rank 0 of the group"
    ranks = {member: member for member in range(world)}
    c10d._world.pg_group_ranks[group] = ranks  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return group


def _finish(options: SyncOptions, label: str | None) -> dict[str, Any]:
    """What every update call says: the last one labels the weights and drops what was cached under the old ones."""
    # While requests are held in place their cache is in use, and the server refuses to drop it.
    flush = label is not None and options.pause != "in_place"
    return {"weight_version": label, "flush_cache": flush, "abort_all_requests": False}


def _leave(target: Target, body: dict[str, Any]) -> None:
    try:
        target.client.control("/destroy_weights_update_group", body)
    except UnavailableError:
        return  # a server that is gone has left too


def _marked(items: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """Each item, and whether it is the last."""
    iterator = iter(items)
    try:
        item = next(iterator)
    except StopIteration:
        return
    for following in iterator:
        yield item, False
        item = following
    yield item, True


def _settle(calls: Sequence[Future[Any]]) -> None:
    """Waits for all calls of a collective, but no longer once one failed: the others may then wait for it in vain."""
    for call in as_completed(calls):
        call.result()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
