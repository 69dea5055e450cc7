"""What the fake SGLang server does with weights. torch is imported where it is used: most fakes never need it."""

import base64
import hashlib
import io
import pickle
from datetime import timedelta

ALLOWED = {
    "types",
    "torch",
    "torch._utils",
    "torch.storage",
    "torch.multiprocessing.reductions",
    "builtins",
    "collections",
}


class Unpickler(pickle.Unpickler):
    """Like SGLang's: only tensors, containers and plain namespaces."""

    def find_class(self, module, name):
        if module not in ALLOWED or name in {"eval", "exec", "getattr", "open"}:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return super().find_class(module, name)


def read_bucket(message):
    """The named tensors of a flattened bucket."""
    content = Unpickler(io.BytesIO(base64.b64decode(message))).load()
    loaded = []
    for meta in content["metadata"]:
        part = content["flattened_tensor"][meta.start_idx : meta.end_idx]
        loaded.append((meta.name, part.view(meta.dtype).reshape(meta.shape).clone()))
    return loaded


def join(body):
    """Joins a process group as SGLang's ``init_custom_process_group`` does."""
    from torch.distributed import distributed_c10d as c10d

    timeout = timedelta(seconds=20)
    rank, world, name = body["rank_offset"], body["world_size"], body["group_name"]
    store, *_ = next(
        c10d.rendezvous(f"tcp://{body['master_address']}:{body['master_port']}", rank, world, timeout=timeout)
    )
    store = c10d.PrefixStore(name, store)
    group, _ = c10d._new_process_group_helper(
        world, rank, [], c10d.Backend(body["backend"]), store, group_name=name, timeout=timeout
    )
    c10d._world.pg_group_ranks[group] = {member: member for member in range(world)}
    return group


def receive(body, group):
    """The named tensors of one broadcast bucket."""
    import torch
    import torch.distributed as dist

    dtypes = [getattr(torch, name) for name in body["dtypes"]]
    sizes = [torch.Size(shape).numel() * dtype.itemsize for shape, dtype in zip(body["shapes"], dtypes, strict=True)]
    flat = torch.empty(sum(sizes), dtype=torch.uint8)
    dist.broadcast(flat, src=0, group=group)
    parts = zip(body["names"], flat.split(sizes), dtypes, body["shapes"], strict=True)
    return [(name, part.view(dtype).reshape(shape)) for name, part, dtype, shape in parts]


def checksums(weights):
    """The digest of each of the server's own tensors."""
    found = {}
    for name, parts in fused(weights).items():
        hasher = hashlib.sha256()
        for part in parts:
            hasher.update(raw(part))
        if "embed_tokens" in name:  # rows are rounded up to a multiple of 64 and filled with zeros
            hasher.update(bytes(-parts[0].shape[0] % 64 * parts[0][0].nbytes))
        found[name] = hasher.hexdigest()[:16]
    return found


def raw(tensor):
    import torch

    return tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()


def fused(weights):
    """The server's own tensors: query, key and value as one, gate and up as one."""
    merged = {}
    for name in weights:
        for whole, parts in (("qkv_proj", ("q_proj", "k_proj", "v_proj")), ("gate_up_proj", ("gate_proj", "up_proj"))):
            if any(f".{part}." in name for part in parts):
                base = next(part for part in parts if f".{part}." in name)
                merged[name.replace(base, whole)] = [weights[name.replace(base, part)] for part in parts]
                break
        else:
            merged[name] = [weights[name]]
    return merged
