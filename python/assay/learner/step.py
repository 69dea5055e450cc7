"""`Learner`: one optimizer step of GRPO or of supervised fine-tuning."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from assay.errors import InvalidInputError
from assay.learner.batch import Block, TrainSequence, plan_micro_batches
from assay.learner.loss import Aggregation, clipped_surrogate, k3_divergence, token_weights
from assay.learner.optimizer import OptimizerConfig, learning_rate, make_optimizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from assay.learner.policy import Policy


@dataclass(frozen=True, slots=True)
class GrpoConfig:
    """What the GRPO loss needs beside the optimizer.

    Attributes:
        clip_low: Clip width below ratio 1, in [0, 1].
        clip_high: Clip width above ratio 1; larger than ``clip_low`` is DAPO's clip-higher.
        kl_coefficient: Weight of the k3 divergence from the reference; 0 needs no reference.
        aggregation: How tokens are averaged, see ``token_weights``.
        constant_length: Divisor of ``aggregation = "constant"``, in tokens.
        inner_epochs: Optimizer steps on the same rollouts (mu of DeepSeekMath algorithm 1).
        temperature: What the tokens were sampled at; log-probs are taken at it.
        token_budget: Tokens of one micro-batch, padding included.
    """

    clip_low: float = 0.2
    clip_high: float = 0.2
    kl_coefficient: float = 0.0
    aggregation: Aggregation = "token_mean"
    constant_length: int | None = None
    inner_epochs: int = 1
    temperature: float = 1.0
    token_budget: int = 8192


class _Sums:
    """Per-token quantities added up over micro-batches, in float64 on the host."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}

    def add(self, **values: Tensor | float) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)

    def largest(self, name: str, value: Tensor) -> None:
        self._sums[name] = max(self._sums.get(name, 0.0), float(value))

    def __getitem__(self, name: str) -> float:
        return self._sums.get(name, 0.0)


class Learner:
    """Trains a policy in one process.

    No weight depends on time or on a random state: a step is a function of the weights, the optimizer state and
    its batch.

    Args:
        policy: What is trained.
        optimizer: AdamW and its schedule.
        reference: Frozen policy of the KL term; needed when ``kl_coefficient`` is not 0.
    """

    def __init__(self, policy: Policy, optimizer: OptimizerConfig, *, reference: Policy | None = None) -> None:
        self.policy = policy
        self.reference = reference
        self.optimizer_config = optimizer
        self.optimizer = make_optimizer(policy.masters.values(), optimizer)
        self.steps_done = 0

    def grpo_step(self, sequences: Sequence[TrainSequence], config: GrpoConfig) -> dict[str, float]:
        """Takes ``inner_epochs`` optimizer steps on one batch of rollouts.

        Completions with advantage 0 (groups without variance, unscored completions) have no gradient unless there is
        a KL term, so they are left out of forward and backward; they still count in the averages. The first epoch
        trains on the weights that sampled the tokens, so its ratio is 1 by definition and its own log-probs are the
        old ones of later epochs: there is never a pass for old log-probs.

        Args:
            sequences: The whole batch, completions of one group next to each other.
            config: The loss.

        Returns:
            ``loss``, ``grad_norm``, ``lr``, ``entropy`` (nats per token), ``kl`` (to the reference, per token),
            ``clip_ratio/low``, ``clip_ratio/high`` (shares of tokens), ``sampling/logprob_diff_max`` (the
            generator's log-probs against the learner's), ``train/tokens``, ``train/sequences``, ``train/micro_batches``,
            ``timing_s/pack``.

        Raises:
            InvalidInputError: The batch is empty or a sequence is not as documented.
        """
        _check(sequences)
        if config.kl_coefficient and self.reference is None:
            msg = "kl_coefficient is not 0 but the learner has no reference policy"
            raise InvalidInputError(msg)
        lengths = [len(sequence.token_ids) for sequence in sequences]
        weights = token_weights(lengths, config.aggregation, constant_length=config.constant_length)
        rows = [i for i, s in enumerate(sequences) if s.advantage != 0 or config.kl_coefficient]
        lr = learning_rate(self.steps_done, self.optimizer_config)
        self.steps_done += 1
        metrics = {"lr": lr, "train/sequences": float(len(rows))}
        if not rows:
            # No gradient: AdamW would still move by its momentum, so the weights are left alone.
            return {**metrics, "loss": 0.0, "grad_norm": 0.0, "train/tokens": 0.0, "train/micro_batches": 0.0}
        started = time.perf_counter()
        plan = self._plan(sequences, rows, config.token_budget)
        metrics["timing_s/pack"] = time.perf_counter() - started
        old: list[Tensor | None] = [None] * len(plan)
        sums, norms = _Sums(), list[float]()
        for _ in range(config.inner_epochs):
            for number, blocks in enumerate(plan):
                old[number] = self._grpo_backward(sequences, blocks, weights, old[number], config, sums)
            norms.append(self._update(lr))
        tokens = max(sums["tokens"], 1.0)
        return {
            **metrics,
            "loss": sums["loss"] / config.inner_epochs,
            "grad_norm": sum(norms) / len(norms),
            "entropy": sums["entropy"] / tokens,
            "kl": sums["kl"] / tokens,
            "clip_ratio/low": sums["low"] / tokens,
            "clip_ratio/high": sums["high"] / tokens,
            "sampling/logprob_diff_max": sums["logprob_diff"],
            "train/tokens": tokens / config.inner_epochs,
            "train/micro_batches": float(len(plan)),
        }

    def sft_step(self, sequences: Sequence[TrainSequence], *, token_budget: int = 8192) -> dict[str, float]:
        """One step of ``-mean log p(completion | prompt)`` over all completion tokens.

        Returns:
            ``loss`` (nats per token), ``grad_norm``, ``lr``, ``entropy``, ``train/tokens``.

        Raises:
            InvalidInputError: The batch is empty or a sequence is not as documented.
        """
        _check(sequences)
        total = sum(len(sequence.token_ids) for sequence in sequences)
        lr = learning_rate(self.steps_done, self.optimizer_config)
        self.steps_done += 1
        sums = _Sums()
        for blocks in self._plan(sequences, range(len(sequences)), token_budget):
            logprobs, entropy = self.policy.logprobs(sequences, blocks)
            loss = -logprobs.sum() / total
            loss.backward()
            sums.add(loss=loss.detach(), entropy=entropy.sum())
        norm = self._update(lr)
        return {
            "loss": sums["loss"],
            "grad_norm": norm,
            "lr": lr,
            "entropy": sums["entropy"] / total,
            "train/tokens": float(total),
        }

    def _plan(self, sequences: Sequence[TrainSequence], rows: Sequence[int], token_budget: int) -> list[list[Block]]:
        shares = self.policy.shares_prompts
        return plan_micro_batches(sequences, rows, token_budget=token_budget, share_prompts=shares)

    def _grpo_backward(
        self,
        sequences: Sequence[TrainSequence],
        blocks: Sequence[Block],
        weights: Sequence[float],
        old: Tensor | None,
        config: GrpoConfig,
        sums: _Sums,
    ) -> Tensor:
        """Adds the gradients of one micro-batch; returns the old log-probs, which are its own in the first epoch."""
        policy, rows = self.policy, [row for block in blocks for row in block.rows]
        logprobs, entropy = policy.logprobs(sequences, blocks, temperature=config.temperature)
        if old is None:
            old = logprobs.detach()
            self._compare_with_generator(sequences, rows, old, sums)
        counts = torch.tensor([len(sequences[row].token_ids) for row in rows], device=logprobs.device)

        def per_token(values: Iterator[float]) -> Tensor:
            each = torch.tensor(list(values), dtype=torch.float32, device=logprobs.device)
            return each.repeat_interleave(counts)

        advantages = per_token(sequences[row].advantage for row in rows)
        surrogate = clipped_surrogate(logprobs, old, advantages, clip_low=config.clip_low, clip_high=config.clip_high)
        values = surrogate.values
        if self.reference is not None and config.kl_coefficient:
            with torch.no_grad():
                reference, _ = self.reference.logprobs(sequences, blocks, temperature=config.temperature)
            divergence = k3_divergence(logprobs, reference)
            values = values + config.kl_coefficient * divergence
            sums.add(kl=divergence.detach().sum())
        loss = (values * per_token(weights[row] for row in rows)).sum()
        loss.backward()
        sums.add(
            loss=loss.detach(),
            entropy=entropy.sum(),
            low=surrogate.clipped_low.sum(),
            high=surrogate.clipped_high.sum(),
            tokens=float(logprobs.shape[0]),
        )
        return old

    @staticmethod
    def _compare_with_generator(
        sequences: Sequence[TrainSequence], rows: Sequence[int], logprobs: Tensor, sums: _Sums
    ) -> None:
        parts = [sequences[row].logprobs for row in rows]
        known = [torch.from_numpy(part) for part in parts if part is not None]
        if len(known) == len(parts):
            sums.largest("logprob_diff", (torch.cat(known).to(logprobs.device) - logprobs).abs().max())

    def _update(self, lr: float) -> float:
        """Clips, steps and clears; returns the norm before clipping."""
        parameters = list(self.policy.masters.values())
        limit = self.optimizer_config.max_grad_norm
        norm = torch.nn.utils.clip_grad_norm_(parameters, limit if limit > 0 else float("inf"))
        if not torch.isfinite(norm):
            msg = f"the gradient norm is {float(norm)}: the weights were left as they were; lower the learning rate"
            raise InvalidInputError(msg)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.policy.publish()
        return float(norm)


def _check(sequences: Sequence[TrainSequence]) -> None:
    if not sequences:
        msg = "the batch is empty: give at least one sequence"
        raise InvalidInputError(msg)
    for index, sequence in enumerate(sequences):
        sequence.check(index)
