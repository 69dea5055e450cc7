"""Runs everything assay relies on against a real SGLang server on this machine, and prints what it measured, a line of JSON for each check.

    python benches/python/sglang_real.py --python SGLANG_VENV/bin/python [--model FOLDER] [--paths shared_memory disk ...]

Without ``--model`` it writes a tiny random Llama.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from assay.rollout import Rollout, SamplingParams, SGLangGenerator
from assay.rollout.sglang import LaunchOptions, LocalServer, SyncOptions
from assay.rollout.sglang.client import SGLangClient

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERANCE = 1e-3


def main() -> None:
    """Reads the arguments, runs the trial, prints its report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="interpreter that has sglang")
    parser.add_argument("--model", help="folder of a Llama-like model; a tiny random one by default")
    parser.add_argument("--paths", nargs="+", default=["shared_memory", "value", "disk", "distributed"])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where server and learner compute")
    parser.add_argument("--tokens", type=int, default=24, help="new tokens of a completion")
    parser.add_argument("--flight-tokens", type=int, default=300, help="the same where something must be in flight")
    parser.add_argument("--log-directory", type=Path, help="folder for the server's log")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="assay-sglang-real-") as folder:
        Trial(arguments, Path(folder)).run()


class Trial:
    """One server, one model here that plays the learner, and the checks in order."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.tokens = arguments.tokens
        self.flight_tokens = arguments.flight_tokens
        self.paths, self.device = arguments.paths, arguments.device
        self.folder = folder
        model_path = Path(arguments.model) if arguments.model else tiny_model(folder / "model")
        self.model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32).eval().to(self.device)
        self.first = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        self.weights = {0: self.first}
        self.version = 0
        arguments_of_server = ["--max-total-tokens", "8192", "--max-running-requests", "32"]
        if not (model_path / "tokenizer.json").exists():
            arguments_of_server.append("--skip-tokenizer-init")
        started = time.perf_counter()
        self.server = LocalServer(
            LaunchOptions(
                model_path=str(model_path),
                device=self.device,
                dtype="float32",
                python=arguments.python,
                arguments=tuple(arguments_of_server),
                environment={"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
                log_directory=arguments.log_directory or folder,
            )
        )
        self.server.wait_ready()
        self.start_s = time.perf_counter() - started
        vocabulary = self.model.config.vocab_size
        draw = np.random.default_rng(0)
        self.prompts = [draw.integers(3, vocabulary, size, dtype=np.uint32) for size in (5, 9, 17, 33)]

    def run(self) -> None:
        """All checks, each with a line of JSON; each raises where it fails."""
        checks: dict[str, Callable[[], dict[str, object]]] = {
            "server": lambda: {
                "sglang": SGLangClient(self.server.url).info().version,
                "start_s": round(self.start_s, 1),
            },
            "before any push": self.unchanged,
            **{f"sync by {path}": partial(self.path, path) for path in self.paths},
            **{f"in flight, {mode}": partial(self.in_flight, mode) for mode in ("retract", "abort", "in_place")},
            "abort and resume": self.abort_and_resume,
            "killed": self.killed,
        }
        try:
            for name, check in checks.items():
                print(json.dumps({name: check()}), flush=True)
        finally:
            self.server.close()

    def unchanged(self) -> dict[str, object]:
        """Completions by the weights that the server started with."""
        with self.generator("auto") as generator:
            return self.check(self.generate(generator))

    def generator(self, path: str, pause: str = "retract") -> SGLangGenerator:
        """A generator of its own, so that every check meets the server as it then is."""
        backend = "nccl" if self.device == "cuda" else "gloo"
        folder = self.folder / "weights"
        sync = SyncOptions(path=path, pause=pause, verify="always", directory=folder, backend=backend)
        return SGLangGenerator(self.server.url, sync=sync, request_timeout_s=300)

    def generate(self, generator: SGLangGenerator, tokens: int | None = None) -> list[Rollout]:
        """Two completions of each prompt."""
        sampling = SamplingParams(max_new_tokens=tokens or self.tokens)
        groups = generator.generate(self.prompts, group_size=2, sampling=sampling, seed=0)
        return [rollout for group in groups for rollout in group.rollouts]

    def push(self, generator: SGLangGenerator) -> None:
        """New weights, clearly different from any before."""
        self.version += 1
        draw = torch.Generator().manual_seed(self.version)
        noisy = {
            name: tensor + 0.02 * tensor.abs().mean() * torch.randn(tensor.shape, generator=draw).to(tensor.device)
            for name, tensor in self.first.items()
        }
        self.model.load_state_dict(noisy)
        self.weights = {
            version: self.weights[version] for version in sorted(self.weights)[-1:]
        }  # no check looks further back
        self.weights[self.version] = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        generator.update_weights(self.version, lambda: self.model.state_dict().items())

    def check(self, rollouts: list[Rollout], *, old_cache: int | None = None) -> dict[str, object]:
        """Log-probabilities of every token beside a forward pass under the weights of its version.

        Tokens of version ``old_cache`` were sampled with a cache that older weights made, so they only come close.
        """
        worst = elsewhere = 0.0
        spans: dict[str, int] = {}
        for rollout in rollouts:
            key = " ".join(f"v{span.version}" for span in rollout.spans())
            spans[key] = spans.get(key, 0) + 1
            for span in rollout.spans():
                expected = self.logprobs(rollout, span.version)[span.start : span.end]
                difference = float(np.abs(expected - rollout.logprobs[span.start : span.end]).max(initial=0.0))
                if span.version == old_cache:
                    elsewhere = max(elsewhere, difference)
                else:
                    worst = max(worst, difference)
        assert worst < TOLERANCE, f"log-probabilities differ by {worst}"
        found: dict[str, object] = {"versions": spans, "largest log-prob difference": worst}
        if old_cache is not None:
            found["largest with the old cache"] = elsewhere
        return found

    def logprobs(self, rollout: Rollout, version: int) -> np.ndarray:
        """``float32[completion]``: the learner's log-probabilities of the sampled tokens under a version."""
        self.model.load_state_dict(self.weights[version])
        ids = torch.from_numpy(np.concatenate([rollout.prompt_ids, rollout.token_ids]).astype(np.int64)).to(self.device)
        with torch.no_grad():
            scores = torch.log_softmax(self.model(ids[None]).logits[0, :-1], dim=-1)
        return scores.gather(1, ids[1:, None])[len(rollout.prompt_ids) - 1 :, 0].cpu().numpy()

    def path(self, path: str) -> dict[str, object]:
        """Two syncs over one path: the first includes what is done once (joining a group, starting helpers)."""
        with self.generator(path) as generator:
            self.push(generator)
            self.push(generator)
            rollouts = self.generate(generator)
            assert {span.version for rollout in rollouts for span in rollout.spans()} == {self.version}
            names = ("bytes", "tensors", "verified", "unverified", "pause_s", "transfer_s", "verify_s", "resume_s")
            syncs = [{name: round(getattr(sync, name), 3) for name in names} for sync in generator.sync_reports]
            return {"syncs": syncs} | self.check(rollouts)

    def in_flight(self, mode: str) -> dict[str, object]:
        """An update while completions are being sampled."""
        with self.generator("shared_memory", mode) as generator:
            self.push(generator)
            found: list[Rollout] = []
            thread = threading.Thread(target=lambda: found.extend(self.generate(generator, self.flight_tokens)))
            thread.start()
            time.sleep(1.0)
            self.push(generator)
            thread.join()
            assert len(found) == 2 * len(self.prompts)
            outcome = self.check(found, old_cache=self.version if mode == "in_place" else None)
            longest = max(found, key=lambda rollout: len(rollout.spans()))
            assert len(longest.spans()) > 1, "nothing was in flight"
            outcome["spans of one"] = [list(span) for span in longest.spans()]
            return outcome | {"pause_s": round(generator.sync_reports[-1].pause_s, 3)}

    def abort_and_resume(self) -> dict[str, object]:
        """Cutting a run short and completing it."""
        sampling = SamplingParams(max_new_tokens=self.flight_tokens)
        with self.generator("shared_memory") as generator:
            self.push(generator)
            groups = generator.generate(self.prompts, group_size=2, sampling=sampling, seed=0)
            threading.Timer(1.0, generator.abort).start()
            partial = list(groups)
            rollouts = [rollout for group in partial for rollout in group.rollouts]
            kept = {(r.group_id, r.index): r.token_ids.tolist() for r in rollouts if r.finish_reason == "abort"}
            assert kept, "nothing was in flight"
            done = [r for group in generator.resume(partial, sampling=sampling, seed=0) for r in group.rollouts]
            assert all(rollout.finish_reason != "abort" for rollout in done)
            for rollout in done:
                before = kept.get((rollout.group_id, rollout.index), [])
                assert rollout.token_ids[: len(before)].tolist() == before
            return {"aborted": len(kept), "tokens kept": sum(map(len, kept.values()))} | self.check(done)

    def killed(self) -> dict[str, object]:
        """SIGKILL to the server in the middle of completions."""
        with self.generator("shared_memory") as generator:
            self.push(generator)
            started = time.perf_counter()
            threading.Timer(1.0, self.server.kill).start()
            rollouts = self.generate(generator, self.flight_tokens)
            seconds = time.perf_counter() - started
            assert self.server.restarts == 1
            assert {span.version for rollout in rollouts for span in rollout.spans()} == {self.version}
            return {"seconds": round(seconds, 1)} | self.check(rollouts)


def tiny_model(folder: Path) -> Path:
    """Writes a random Llama of two layers with a tied output."""
    config = LlamaConfig(
        vocab_size=300,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        eos_token_id=2,
        bos_token_id=1,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()
