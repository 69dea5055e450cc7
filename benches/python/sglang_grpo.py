"""Twenty GRPO steps of a tiny Llama whose completions come from a real SGLang server, while things go wrong.

    python benches/python/sglang_grpo.py --python SGLANG_VENV/bin/python [--steps 20] [--verify always]

The server is killed, paused and told to abort everything in the middle of steps. The script raises unless the run
completes, every sampled token's log-probability is that of a float32 forward pass of the learner within 1e-3, every token
was sampled by the weights of its step, no completion is missing or there twice, and the server's weights changed with
every step and are the learner's at the end. It prints what it measured as one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from assay.recipe import load_recipe, run_recipe
from assay.recipe.generation import open_generator
from assay.recipe.hosts import Hosts
from assay.rollout.sglang import LocalServer
from assay.rollout.sglang.client import SGLangClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from assay.learner.policy import Policy
    from assay.recipe import Recipe
    from assay.rollout import NamedTensors, RolloutGroup, SGLangGenerator

TOLERANCE = 1e-3
GROUP, PROMPTS = 4, 4
RECIPE = """
name = "sglang-grpo"
runtime = {{ threads = 1 }}
[model]
kind = "tiny"
max_positions = 256
[data]
source = "addition"
digits = 2
size = 400
held_out = 8
[[scorer.component]]
kind = "length"
mode = "soft_overlong"
max_length = 160
buffer = 150
[generator]
kind = "sglang"
sync = {{ verify = "{verify}" }}
[generator.launch]
device = "cpu"
python = "{python}"
arguments = ["--max-total-tokens", "8192", "--max-running-requests", "32"]
environment = {{ OMP_NUM_THREADS = "1" }}
[[stage]]
kind = "grpo"
steps = {steps}
prompts_per_step = {prompts}
group_size = {group}
sampling = {{ max_new_tokens = 160 }}
lr = 2e-4
"""


class Watched:
    """The run's generator, with every rollout checked and faults put in."""

    def __init__(self, inner: SGLangGenerator, policy: Policy, url: str, server: LocalServer) -> None:
        self.inner, self.policy, self.client, self.server = inner, policy, SGLangClient(url), server
        self.worst, self.tokens, self.calls = 0.0, 0, 0
        self.first = self.fingerprint(policy.named_tensors)
        self.fingerprints: list[float] = []
        self.seen: set[tuple[int, int]] = set()
        self.events: dict[str, object] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def update_weights(self, version: int, named: NamedTensors) -> None:
        self.inner.update_weights(version, named)
        assert self.client.weight_version().startswith(f"{version}@"), "the server reports another version"
        self.fingerprints.append(self.fingerprint(named))

    def fingerprint(self, named: NamedTensors) -> float:
        """One weight of the server, after comparing it with the learner's."""
        name = "model.layers.0.mlp.down_proj.weight"
        values = self.client.call("POST", "/get_weights_by_name", {"name": name, "truncate_size": 8})
        found = float(np.asarray(values).flatten()[0])
        assert abs(found - float(dict(named())[name].flatten()[0])) < 1e-7, "the server holds other weights"
        return found

    def generate(self, prompts: Sequence[np.ndarray], **options: object) -> Iterator[RolloutGroup]:
        fault = {7: self.kill, 10: self.pause, 13: self.abort}.get(self.calls)
        self.calls += 1
        thread = threading.Thread(target=fault) if fault else None
        if thread:
            thread.start()
        started = time.perf_counter()
        for group in self.inner.generate(prompts, **options):
            for rollout in group.rollouts:
                self.check(rollout)
            yield group
        if thread:
            thread.join()
            self.events[f"{fault.__name__}, step seconds"] = round(time.perf_counter() - started, 1)

    def check(self, rollout) -> None:
        key = (rollout.group_id, rollout.index)
        assert key not in self.seen, f"{key} is there twice"
        self.seen.add(key)
        assert rollout.finish_reason in {"stop", "length"}, rollout.finish_reason
        assert {span.version for span in rollout.spans()} == {self.inner.weight_version}, rollout.spans()
        ids = torch.from_numpy(np.concatenate([rollout.prompt_ids, rollout.token_ids]).astype(np.int64))
        with torch.no_grad():
            table = torch.log_softmax(self.policy.model(ids[None]).logits[0, :-1].float(), dim=-1)
        ours = table.gather(1, ids[1:, None])[len(rollout.prompt_ids) - 1 :, 0].numpy()
        self.worst = max(self.worst, float(np.abs(ours - rollout.logprobs).max()))
        self.tokens += len(rollout.token_ids)
        assert self.worst < TOLERANCE, f"log-probabilities differ by {self.worst}"

    def kill(self) -> None:
        time.sleep(0.3)
        self.server.kill()

    def pause(self) -> None:
        time.sleep(0.3)
        self.client.pause("retract")
        time.sleep(1.0)
        self.client.resume()

    def abort(self) -> None:
        time.sleep(0.3)
        self.client.abort_all()


def main() -> None:
    """Runs the recipe and prints its measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="interpreter that has sglang")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--verify", choices=("always", "never"), default="always", help="checksums of every push")
    arguments = parser.parse_args()
    watched: list[Watched] = []
    servers: list[LocalServer] = []
    original = LocalServer.__init__

    def noted(self: LocalServer, options: object) -> None:
        original(self, options)
        servers.append(self)

    def opened(recipe: Recipe, policy: Policy, folder: Path) -> Watched:
        inner = open_generator(recipe, policy, folder)
        watched.append(Watched(inner, policy, servers[0].url, servers[0]))
        return watched[0]

    LocalServer.__init__ = noted
    with tempfile.TemporaryDirectory(prefix="assay-sglang-grpo-") as folder:
        path = Path(folder) / "recipe.toml"
        python = Path(arguments.python).absolute()
        options = {"python": python, "steps": arguments.steps, "verify": arguments.verify}
        path.write_text(RECIPE.format(**options, prompts=PROMPTS, group=GROUP))
        started = time.perf_counter()
        summary = run_recipe(load_recipe(path), Path(folder) / "run", hosts=Hosts(generator=opened))
        seconds = time.perf_counter() - started
        lines = (Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()
        rows = [row for row in map(json.loads, lines) if row["kind"] == "grpo"]
    [generator] = watched
    assert summary["complete"]
    assert len(rows) == arguments.steps
    expected = {(group, index) for group in range(arguments.steps * PROMPTS) for index in range(GROUP)}
    assert generator.seen == expected, f"missing: {sorted(expected - generator.seen)}"
    before = [generator.first, *generator.fingerprints[:-1]]
    changed = [old != new for old, new in zip(before, generator.fingerprints, strict=True)]
    assert changed == [row["grad_norm"] > 0 for row in rows], "the server's weights do not change when the learner's do"
    assert sum(changed) > arguments.steps / 2
    reports = generator.inner.sync_reports
    if arguments.verify == "always":
        assert all(report.verified and not report.unverified for report in reports)
    assert servers[0].restarts == (1 if arguments.steps > 7 else 0)
    transfers = sorted(report.total_s for report in reports[1:])
    found = {
        "steps": arguments.steps,
        "completions": len(generator.seen),
        "tokens": generator.tokens,
        "largest log-prob difference": generator.worst,
        "pushes": len(reports),
        "sync path": reports[0].path,
        "sync seconds, median": round(transfers[len(transfers) // 2], 3),
        "restarts": servers[0].restarts,
        **generator.events,
        "reward, first and last step": [round(rows[0]["reward/mean"], 3), round(rows[-1]["reward/mean"], 3)],
        "seconds": round(seconds, 1),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
