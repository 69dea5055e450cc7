"""`Policy`: the model in training, its float32 weights and its log-probs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from assay.errors import InvalidInputError
from assay.learner.forward import (
    can_share_prompts,
    hidden_of_full_sequences,
    hidden_with_shared_prompts,
    target_tokens,
)
from assay.learner.logprobs import token_logprobs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from assay.learner.batch import Block, TrainSequence

ComputeDtype: TypeAlias = Literal["float32", "bfloat16"]


class Policy:
    """A causal language model with float32 master weights.

    With ``compute_dtype = "float32"`` the model's parameters are the master weights. With ``"bfloat16"`` the model
    computes in bfloat16 on copies: gradients are added up in float32 on the masters, the optimizer updates the
    masters, and ``publish`` rounds them into the model. (Updating bfloat16 weights directly would lose nearly every
    step of a small learning rate to rounding.) The model can be given to a ``LocalGenerator`` as it is.

    Args:
        model: A transformers causal language model with float32 weights.
        tokenizer: Its tokenizer.
        compute_dtype: What the forward and backward run in.
        gradient_checkpointing: Recompute activations in the backward: less memory, about a third more work; prompts
            are then computed once per completion.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        compute_dtype: ComputeDtype = "float32",
        gradient_checkpointing: bool = False,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        # Dropout would make the log-probs of the learner differ from those of the generator.
        model.eval()
        if gradient_checkpointing:
            # Checkpointing is active in training mode only, so every dropout is set to zero instead.
            model.train()
            for module in model.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
            model.gradient_checkpointing_enable()
        self.masters: dict[str, nn.Parameter] = {}
        for name, parameter in model.named_parameters():
            self.masters[name] = parameter
            if compute_dtype == "bfloat16":
                self.masters[name] = _detach_master(parameter)
        self._body = model.base_model
        self._head = _plain_head(model)
        self._shares_prompts = can_share_prompts(model)

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        compute_dtype: ComputeDtype = "float32",
        gradient_checkpointing: bool = False,
        device: str = "cpu",
    ) -> Policy:
        """Loads a Hugging Face folder.

        Raises:
            InvalidInputError: The folder does not hold a causal language model and a tokenizer.
        """
        try:
            model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).strip().split("\n")[0]
            msg = f"model.path {str(path)!r}: not a Hugging Face folder with a causal model and tokenizer ({reason})"
            raise InvalidInputError(msg) from error
        cast("nn.Module", model).to(device)
        return cls(
            model,
            tokenizer,
            compute_dtype=compute_dtype,
            gradient_checkpointing=gradient_checkpointing,
        )

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @property
    def shares_prompts(self) -> bool:
        """Whether training computes each prompt once per group."""
        return self._shares_prompts

    def logprobs(
        self, sequences: Sequence[TrainSequence], blocks: Sequence[Block], *, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Log-probs and entropies of all completion tokens of a micro-batch.

        Args:
            sequences: All sequences of the step.
            blocks: Those of this micro-batch.
            temperature: Positive; what the tokens were sampled at.

        Returns:
            ``float32[tokens]`` log-probs (differentiable) and entropies (not), row after row.
        """
        targets = target_tokens(sequences, blocks, self.device)
        if self._head is None:
            return self._logprobs_of_whole_model(sequences, blocks, targets, temperature)
        # Nothing is shared by blocks of one row, as in supervised fine-tuning.
        shared = self._shares_prompts and any(len(block.rows) > 1 for block in blocks)
        forward = hidden_with_shared_prompts if shared else hidden_of_full_sequences
        hidden = forward(self._body, sequences, blocks, self.device)
        return token_logprobs(hidden, self._head.weight, targets, temperature=temperature)

    def _logprobs_of_whole_model(
        self, sequences: Sequence[TrainSequence], blocks: Sequence[Block], targets: Tensor, temperature: float
    ) -> tuple[Tensor, Tensor]:
        """For models that do more to their logits than one product: holds all logits of a micro-batch."""
        logits = hidden_of_full_sequences(_Logits(self.model), sequences, blocks, self.device).float() / temperature
        table = torch.log_softmax(logits, dim=-1)
        entropy = -(table.detach().exp() * table.detach()).sum(dim=-1)
        return table.gather(-1, targets[:, None]).squeeze(-1), entropy

    def publish(self) -> None:
        """Rounds the master weights into the model; nothing to do when they are the model's own."""
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                if self.masters[name] is not parameter:
                    parameter.copy_(self.masters[name])

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yields what a generator needs: names as in the Hugging Face state dict, in the compute dtype."""
        for name, parameter in self.model.named_parameters():
            yield name, parameter.detach()

    def load_masters(self, tensors: dict[str, Tensor]) -> None:
        """Sets the master weights, and the model's.

        Raises:
            InvalidInputError: Names or shapes are not the model's.
        """
        for name, master in self.masters.items():
            if name not in tensors or tensors[name].shape != master.shape:
                msg = f"checkpoint weight {name!r} is missing or of another shape: it belongs to another model"
                raise InvalidInputError(msg)
            with torch.no_grad():
                master.copy_(tensors[name])
        self.publish()

    def export(self, path: Path | str) -> None:
        """Writes a Hugging Face folder (config, float32 safetensors, tokenizer) that ``AutoModelForCausalLM`` loads."""
        # By identity, because tied weights have several names in the state dict.
        masters = {id(parameter): self.masters[name] for name, parameter in self.model.named_parameters()}
        state = {
            name: masters[id(tensor)].detach() if id(tensor) in masters else tensor.detach()
            for name, tensor in self.model.state_dict(keep_vars=True).items()
        }
        self.model.save_pretrained(path, state_dict=state)
        self.tokenizer.save_pretrained(path)


class _Logits(nn.Module):
    """A model seen as its own body: its logits in the place of hidden states."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self._model = [model]  # in a list, so that it is not registered a second time

    def forward(self, input_ids: Tensor, **options: object) -> _Output:
        return _Output(self._model[0](input_ids=input_ids, **options).logits)


class _Output:
    def __init__(self, last_hidden_state: Tensor) -> None:
        self.last_hidden_state = last_hidden_state


def _detach_master(parameter: nn.Parameter) -> nn.Parameter:
    """Turns a float32 parameter into a bfloat16 one whose gradients go to the float32 master that is returned."""
    master = nn.Parameter(parameter.detach().clone())
    parameter.data = parameter.data.to(torch.bfloat16)

    def accumulate(low: Tensor) -> None:
        assert low.grad is not None
        # The low-precision gradient is freed at once: only one parameter's exists at any moment of the backward.
        if master.grad is None:
            master.grad = low.grad.float()
        else:
            master.grad += low.grad
        low.grad = None

    parameter.register_post_accumulate_grad_hook(accumulate)
    return master


def _plain_head(model: PreTrainedModel) -> nn.Linear | None:
    """The output head, if logits are exactly its product with the last hidden state; else ``None``.

    Some models scale or cap their logits after the head. Rather than know them all, one forward is compared.
    """
    head = model.get_output_embeddings()
    if not isinstance(head, nn.Linear) or getattr(head, "bias", None) is not None:
        return None
    ids = torch.tensor([[0, 1]], device=model.device) % head.weight.shape[0]
    with torch.no_grad(), suppress(AttributeError, TypeError):
        hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        logits = model(input_ids=ids, use_cache=False).logits
        if torch.allclose((hidden @ head.weight.T).float(), logits.float(), rtol=1e-3, atol=1e-4):
            return head
    return None
