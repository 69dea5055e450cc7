"""`Learner`: one step of GRPO or of supervised fine-tuning."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, cast

import torch

from assay.errors import InvalidInputError
from assay.learner.batch import plan_micro_batches, split_groups
from assay.learner.loss import token_weights, top_entropy_threshold
from assay.learner.objective import Anchor, Pass, Sums, TokenData, anchor, is_stale, objective, token_data
from assay.learner.optimizer import OptimizerConfig, learning_rate, make_optimizer
from assay.learner.ranks import Alone
from assay.learner.state import load_state, save_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from assay.learner.batch import Block, TrainSequence
    from assay.learner.config import GrpoConfig
    from assay.learner.policy import Policy
    from assay.learner.ranks import Ranks


class Learner:
    """Trains a policy, in one process or, with ``ranks``, in several that call every method together.

    No weight depends on time or on a random state: a step is a function of the weights, the optimizer state and
    its batch.

    Args:
        policy: What is trained.
        optimizer: AdamW and its schedule.
        reference: Frozen policy of the KL term; needed when ``kl_coefficient`` is not 0.
        ranks: The processes that train together.
    """

    def __init__(
        self,
        policy: Policy,
        optimizer: OptimizerConfig,
        *,
        reference: Policy | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        self.policy = policy
        self.reference = reference
        self.ranks: Ranks = ranks or Alone()
        self.optimizer_config = optimizer
        self.optimizer = make_optimizer(policy.masters.values(), optimizer)
        self.steps_done = 0

    def set_reference(self, reference: Policy | None) -> None:
        """Exchanges the frozen policy of the KL term."""
        self.reference = reference

    def save_state(self, folder: Path) -> None:
        """Writes what a checkpoint holds beside ``model/``: moments, and adapters unmerged."""
        save_whole(folder, self)

    def load_state(self, path: Path, steps_done: int) -> None:
        """Puts weights and moments of a checkpoint back.

        Raises:
            InvalidInputError: The folder is not a checkpoint, or one of another model.
        """
        load_state(path, self)
        self.steps_done = steps_done

    def grpo_step(
        self, sequences: Sequence[TrainSequence], config: GrpoConfig, *, weight_version: int | None = None
    ) -> dict[str, float]:
        """Takes ``mini_batches * inner_epochs`` optimizer steps on one batch of rollouts.

        Completions with advantage 0 (groups without variance, unscored completions) have no gradient unless there is
        a KL or entropy term, so they are left out of forward and backward; they still count in the averages.

        Old log-probs are those of the weights at the start of the step. The first pass over the first mini-batch finds
        them on its way, so there is a pass of its own for them only when later mini-batches would be too late for it, or
        when entropies are needed before the first update. What older weights sampled is never taken for on-policy, see
        ``assay.learner.objective.anchor``.

        Args:
            sequences: The whole batch, completions of one group next to each other.
            config: The loss.
            weight_version: Version of the weights in training; a sequence of another version is stale. ``None`` if
                versions are not kept.

        Returns:
            ``loss``, ``grad_norm``, ``lr``, ``entropy`` (nats per token), ``kl`` (to the reference, per token),
            ``clip_ratio/low``, ``clip_ratio/high`` (shares of tokens), ``sampling/*`` (sampler against learner: ``kl_k1``,
            ``kl_k3``, ``ratio_max``, ``logprob_diff_max``, ``share_beyond``, ``correction_mean``, ``corrected_away``),
            ``train/tokens``, ``train/flops`` (forward and backward of all processes), ``train/sequences``, ``train/micro_batches``, ``train/updates``, ``train/stale_sequences``,
            ``timing_s/pack``, ``timing_s/old_logprobs``.

        Raises:
            InvalidInputError: The batch is empty, a sequence is not as documented, a stale one has no log-probs, there is
                no reference for a KL term, or the gradient is not finite.
        """
        _check(sequences, weight_version)
        if config.kl_coefficient and self.reference is None:
            msg = "kl_coefficient is not 0 but the learner has no reference policy"
            raise InvalidInputError(msg)
        lr = self.next_learning_rate()
        started = time.perf_counter()
        minis = [
            self._mini_batch(sequences, rows, config, weight_version)
            for rows in split_groups(sequences, config.mini_batches)
        ]
        packed = time.perf_counter()
        sums, norms = Sums(), list[float]()
        threshold = self._look_first(sequences, minis, config, sums) if config.looks_first else None
        looked = time.perf_counter()
        for _ in range(config.inner_epochs):
            for mini in minis:
                # No gradient: AdamW would still move by its momentum, so the weights are left alone.
                if mini.rows:
                    for micro in mini.micro_batches:
                        self._backward(sequences, micro, mini, threshold, config, sums)
                    norms.append(self.apply_gradients(lr))
        totals, maxima = self.ranks.sum(sums.sums()), self.ranks.max(sums.maxima())
        stale = sum(is_stale(sequence, weight_version) for sequence in sequences)
        return {
            "lr": lr,
            "grad_norm": sum(norms) / len(norms) if norms else 0.0,
            **_grpo_metrics(totals, maxima, config),
            "train/sequences": float(sum(len(mini.rows) for mini in minis)),
            "train/micro_batches": float(sum(len(mini.micro_batches) for mini in minis)),
            "train/updates": float(len(norms)),
            "train/stale_sequences": float(stale),
            "timing_s/pack": packed - started,
            **({"timing_s/old_logprobs": looked - packed} if config.looks_first else {}),
        }

    def sft_step(
        self, sequences: Sequence[TrainSequence], *, token_budget: int = 8192, router_coefficient: float = 0.0
    ) -> dict[str, float]:
        """One step of ``-mean log p(completion | prompt)`` over all completion tokens.

        Args:
            sequences: The batch.
            token_budget: Tokens of one micro-batch.
            router_coefficient: Weight of the load-balancing loss of mixture-of-experts models.

        Returns:
            ``loss`` (nats per token), ``grad_norm``, ``lr``, ``entropy``, ``train/tokens``.

        Raises:
            InvalidInputError: The batch is empty or a sequence is not as documented.
        """
        _check(sequences, None)
        total = sum(len(sequence.token_ids) for sequence in sequences)
        lr = self.next_learning_rate()
        sums = Sums()
        for blocks, counted in self._plan(sequences, range(len(sequences)), token_budget):
            found = self.policy.logprobs(sequences, blocks, router=bool(router_coefficient))
            loss = nll = -found.logprobs.sum() / total
            if found.router_loss is not None:
                loss = loss + router_coefficient * found.logprobs.numel() / total * found.router_loss
            (loss * (self.ranks.size * counted)).backward()
            sums.add(loss=nll * counted, entropy=found.entropies.sum() * counted)
        norm = self.apply_gradients(lr)
        totals = self.ranks.sum(sums.sums())
        return {
            "loss": totals["loss"],
            "grad_norm": norm,
            "lr": lr,
            "entropy": totals["entropy"] / total,
            "train/tokens": float(total),
        }

    def score(
        self, sequences: Sequence[TrainSequence], *, temperature: float = 1.0, token_budget: int = 8192
    ) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]] | None]:
        """Log-probs of all completion tokens under the policy and, if there is one, under the reference; no gradient.

        Args:
            sequences: The batch.
            temperature: What the tokens were sampled at.
            token_budget: Tokens of one micro-batch.

        Returns:
            One ``float32[completion]`` array per sequence for the policy, and for the reference or ``None``.

        Raises:
            InvalidInputError: The batch is empty or a sequence is not as documented.
        """
        _check(sequences, None)
        plan = self._plan(sequences, range(len(sequences)), token_budget)
        own: list[dict[int, NDArray[np.float32]]] = []
        for policy in (self.policy, self.reference):
            found: dict[int, NDArray[np.float32]] = {}
            for blocks, counted in plan if policy is not None else ():
                assert policy is not None
                with torch.no_grad():
                    flat = policy.logprobs(sequences, blocks, temperature=temperature).logprobs.cpu()
                rows = [row for block in blocks for row in block.rows]
                for row, part in zip(rows, flat.split([len(sequences[row].token_ids) for row in rows]), strict=True):
                    if counted:
                        found[row] = part.numpy()
            own.append(found)
        merged: list[dict[int, NDArray[np.float32]]] = [{}, {}]
        for theirs in self.ranks.gather(own):
            for side, found in enumerate(theirs):
                merged[side] |= found
        order = range(len(sequences))
        return [merged[0][i] for i in order], [merged[1][i] for i in order] if self.reference else None

    def _mini_batch(
        self, sequences: Sequence[TrainSequence], rows: Sequence[int], config: GrpoConfig, weight_version: int | None
    ) -> _MiniBatch:
        counted = [row for row in rows if not sequences[row].masked]
        lengths = [len(sequences[row].token_ids) for row in counted]
        each = token_weights(lengths, config.aggregation, constant_length=config.constant_length)
        weights = [0.0] * len(sequences)
        for row, weight in zip(counted, each, strict=True):
            weights[row] = weight
        trained = counted if config.every_token_counts else [row for row in counted if sequences[row].teaches]
        micro_batches: list[_MicroBatch] = []
        for blocks, real in self._plan(sequences, trained, config.token_budget):
            members = [row for block in blocks for row in block.rows]
            shares = weights if real else [0.0] * len(sequences)
            tokens = token_data(sequences, members, shares, weight_version=weight_version, device=self.policy.device)
            micro_batches.append(_MicroBatch(blocks, tokens, real=real))
        tokens_trained = sum(len(sequences[row].token_ids) for row in trained)
        return _MiniBatch(trained, micro_batches, sum(lengths), tokens_trained)

    def _plan(
        self, sequences: Sequence[TrainSequence], rows: Sequence[int], token_budget: int
    ) -> list[tuple[list[Block], bool]]:
        """This process's micro-batches, and whether each is real or only keeps step with the other processes."""
        if not rows:
            return []
        costs = [len(sequences[row].prompt_ids) + len(sequences[row].token_ids) for row in rows]
        own = [rows[i] for i in self.ranks.share(costs)]
        layout = self.policy.layout
        plan = plan_micro_batches(sequences, own, token_budget=token_budget, layout=layout)
        # All processes take part in every forward, whether they have something left to do or not.
        most = int(self.ranks.max({"micro_batches": float(len(plan))})["micro_batches"])
        spare = plan_micro_batches(sequences, rows[:1], token_budget=token_budget, layout=layout)[0]
        return [(blocks, True) for blocks in plan] + [(spare, False)] * (most - len(plan))

    def _look_first(
        self, sequences: Sequence[TrainSequence], minis: Sequence[_MiniBatch], config: GrpoConfig, sums: Sums
    ) -> float | None:
        """Anchors every micro-batch before the first update; returns the entropy that tokens must reach."""
        entropies: list[Tensor] = []
        for micro in (micro for mini in minis for micro in mini.micro_batches):
            with torch.no_grad():
                found = self.policy.logprobs(sequences, micro.blocks, temperature=config.temperature)
            micro.anchor = anchor(found.logprobs, micro.tokens, config, sums if micro.real else Sums())
            micro.anchor.entropies = found.entropies
            if micro.real:
                entropies.append(found.entropies.cpu())
        if config.top_entropy_share == 1.0:
            return None
        everyones = [part for parts in self.ranks.gather(entropies) for part in parts]
        return top_entropy_threshold(torch.cat(everyones), config.top_entropy_share) if everyones else None

    def _backward(
        self,
        sequences: Sequence[TrainSequence],
        micro: _MicroBatch,
        mini: _MiniBatch,
        threshold: float | None,
        config: GrpoConfig,
        sums: Sums,
    ) -> None:
        """Adds the gradients of one micro-batch."""
        sums = sums if micro.real else Sums()
        router = bool(config.router_coefficient)
        found = self.policy.logprobs(sequences, micro.blocks, temperature=config.temperature, router=router)
        if micro.anchor is None:
            micro.anchor = anchor(found.logprobs, micro.tokens, config, sums)
        reference = None
        if self.reference is not None and config.kl_coefficient:
            with torch.no_grad():
                reference = self.reference.logprobs(sequences, micro.blocks, temperature=config.temperature).logprobs
        shared = self.policy.layout == "shared"
        sums.add(flops=self.policy.arithmetic.of(sequences, micro.blocks, shared=shared))
        done = Pass(found.logprobs, found.entropies, reference, threshold, mini.tokens)
        loss = objective(done, micro.anchor, micro.tokens, config, sums)
        if found.router_loss is not None:
            share = found.logprobs.numel() / mini.trained
            loss = loss + config.router_coefficient * share * found.router_loss
            sums.add(router=found.router_loss.detach() * share)
        # Gradients are averaged over processes, losses are summed.
        (loss * (self.ranks.size if micro.real else 0.0)).backward()

    def next_learning_rate(self) -> float:
        """The learning rate of the step that begins, which is counted."""
        lr = learning_rate(self.steps_done, self.optimizer_config)
        self.steps_done += 1
        return lr

    def apply_gradients(self, lr: float) -> float:
        """Clips, steps and clears; returns the norm before clipping.

        Raises:
            InvalidInputError: The norm is not finite.
        """
        parameters = list(self.policy.masters.values())
        limit = self.optimizer_config.max_grad_norm
        norm = torch.nn.utils.clip_grad_norm_(parameters, limit if limit > 0 else float("inf"))
        # Of sharded weights the norm is a sum that is still spread over the processes.
        norm = cast("Tensor", getattr(norm, "full_tensor", lambda: norm)())
        if not torch.isfinite(norm):
            self.optimizer.zero_grad(set_to_none=True)
            msg = f"the gradient norm is {float(norm)}: the weights were left as they were; lower the learning rate"
            raise InvalidInputError(msg)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.policy.publish()
        return float(norm)


class _MicroBatch:
    """What one forward and backward work on.

    Attributes:
        blocks: Its completions.
        tokens: What is known of them.
        real: Whether it counts, or only keeps step with other processes.
        anchor: Fixed at first sight.
    """

    __slots__ = ("anchor", "blocks", "real", "tokens")

    def __init__(self, blocks: list[Block], tokens: TokenData, *, real: bool) -> None:
        self.blocks = blocks
        self.tokens = tokens
        self.real = real
        self.anchor: Anchor | None = None


class _MiniBatch(NamedTuple):
    """What one optimizer step works on.

    Attributes:
        rows: Completions that all processes together train on.
        micro_batches: Of this process.
        tokens: Of all completions that count, those without a gradient included.
        trained: Tokens of ``rows``.
    """

    rows: list[int]
    micro_batches: list[_MicroBatch]
    tokens: int
    trained: int


def _grpo_metrics(totals: dict[str, float], maxima: dict[str, float], config: GrpoConfig) -> dict[str, float]:
    """The metrics of a step from sums over all its forwards (``tokens``) and over its completions (``seen``)."""
    tokens, seen = max(totals.get("tokens", 0.0), 1.0), max(totals.get("seen", 0.0), 1.0)
    known = totals.get("mismatch_known", 0.0)
    found = {
        "loss": totals.get("loss", 0.0) / config.updates,
        "entropy": totals.get("entropy", 0.0) / tokens,
        "kl": totals.get("kl", 0.0) / tokens,
        "clip_ratio/low": totals.get("low", 0.0) / tokens,
        "clip_ratio/high": totals.get("high", 0.0) / tokens,
        "train/tokens": totals.get("tokens", 0.0) / config.inner_epochs,
        "train/flops": totals.get("flops", 0.0),
    }
    if known:
        found |= {
            "sampling/kl_k1": totals["mismatch_k1"] / known,
            "sampling/kl_k3": totals["mismatch_k3"] / known,
            "sampling/share_beyond": totals["mismatch_beyond"] / known,
            "sampling/ratio_max": maxima["ratio"],
            "sampling/logprob_diff_max": maxima["difference"],
        }
    if config.correction != "none":
        found["sampling/correction_mean"] = totals.get("correction", 0.0) / seen
        found["sampling/corrected_away"] = totals.get("corrected_away", 0.0) / seen
    if config.top_entropy_share < 1.0:
        found["train/top_entropy_share"] = totals.get("chosen", 0.0) / tokens
    if config.router_coefficient:
        found["router_loss"] = totals.get("router", 0.0) / config.updates
    return found


def _check(sequences: Sequence[TrainSequence], weight_version: int | None) -> None:
    if not sequences:
        msg = "the batch is empty: give at least one sequence"
        raise InvalidInputError(msg)
    for index, sequence in enumerate(sequences):
        sequence.check(index)
        if sequence.logprobs is None and is_stale(sequence, weight_version):
            msg = (
                f"sequence {index} was sampled by weights {sequence.weight_version}, not {weight_version}, and has no "
                "log-probs: without them its loss would be that of no policy"
            )
            raise InvalidInputError(msg)
