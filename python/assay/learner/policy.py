"""`Policy`: the model in training, its float32 weights and its log-probs."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.autograd.graph import save_on_cpu
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from assay._attention import PackedKernel, check_kernel, exchange_attention
from assay._layers import lighten
from assay._transformers import ATTENTION
from assay.errors import InvalidInputError
from assay.learner.flops import Arithmetic
from assay.learner.forward import (
    can_share_prompts,
    hidden_of_full_sequences,
    hidden_with_shared_prompts,
    target_tokens,
)
from assay.learner.logprobs import token_logprobs
from assay.learner.lora import LoraOptions, add_adapters, merged_state
from assay.learner.packed import can_pack, hidden_of_packed_sequences
from assay.learner.router import balancing_loss, has_router
from assay.learner.state import load_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from assay.learner.batch import Block, Layout, TrainSequence

ComputeDtype: TypeAlias = Literal["float32", "bfloat16"]


class TokenOutputs(NamedTuple):
    """What one forward over a micro-batch gives, completion token by completion token, row after row.

    Attributes:
        logprobs: ``float32[tokens]``, differentiable.
        entropies: ``float32[tokens]`` in nats, differentiable.
        router_loss: The load-balancing loss of the micro-batch, if it was asked for.
    """

    logprobs: Tensor
    entropies: Tensor
    router_loss: Tensor | None = None


class PolicyOptions(NamedTuple):
    """How a policy computes.

    Attributes:
        compute_dtype: What the forward and backward run in; the weights that are trained are float32 in both.
        gradient_checkpointing: Recompute activations in the backward: less memory, about a third more work.
        offload_activations: With checkpointing: what it keeps, the input of every layer, waits in host memory (pinned if
            the model is on a GPU) for the backward. The numbers are the same.
        layout: ``shared`` computes the prompt of a group once, ``packed`` puts sequences end to end without padding,
            ``padded`` works for every causal model. ``auto`` is the first of ``shared`` (``packed`` for a mixture of
            experts, whose router must see no padding) that is exact for the model.
        lora: Train low-rank adapters in the place of the weights.
        compiled: Run the model's body through ``torch.compile``.
        packed_attention: What computes attention in the ``packed`` layout; ``auto`` is torch's variable-length flash
            attention on a GPU in half precision, and ``by_sequence`` elsewhere.
    """

    compute_dtype: ComputeDtype = "float32"
    gradient_checkpointing: bool = False
    offload_activations: bool = False
    layout: Layout | Literal["auto"] = "auto"
    lora: LoraOptions | None = None
    compiled: bool = False
    packed_attention: PackedKernel = "auto"


class Policy:
    """A causal language model with float32 master weights.

    With ``compute_dtype = "float32"`` the model's parameters are the master weights. With ``"bfloat16"`` the model
    computes in bfloat16 on copies: gradients are added up in float32 on the masters, the optimizer updates the
    masters, and ``publish`` rounds them into the model. (Updating bfloat16 weights directly would lose nearly every
    step of a small learning rate to rounding.) The model can be given to a ``LocalGenerator`` as it is.

    Args:
        model: A transformers causal language model with float32 weights.
        tokenizer: Its tokenizer.
        options: How it computes.
        plain_head: Whether logits are the product of hidden states and the output embedding; found out if not told.

    Raises:
        InvalidInputError: A layout that is not exact for this model, or adapters that it cannot have.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        options: PolicyOptions | None = None,
        *,
        plain_head: bool | None = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.options = options = options or PolicyOptions()
        if options.lora is not None:
            add_adapters(model, options.lora)
        # Dropout would make the log-probs of the learner differ from those of the generator.
        model.eval()
        if options.gradient_checkpointing:
            # Checkpointing is active in training mode only, so every dropout is set to zero instead.
            model.train()
            for module in model.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        exchange_attention(model)
        lighten(model)
        self.masters: dict[str, nn.Parameter] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                self.masters[name] = parameter
            if options.compute_dtype == "bfloat16":
                self._lower(name, parameter)
        told = cast("nn.Linear", model.get_output_embeddings()) if plain_head else None
        self._head = _plain_head(model) if plain_head is None else told
        self.layout: Layout = _layout(model, options)
        self.arithmetic = Arithmetic(model)
        if self.layout == "packed":
            model.set_attn_implementation(ATTENTION)
            dtype = torch.bfloat16 if options.compute_dtype == "bfloat16" else torch.float32
            check_kernel(options.packed_attention, model.device, dtype)
        elif options.packed_attention != "auto":
            msg = f"model.packed_attention {options.packed_attention!r} needs layout 'packed'; this model's is {self.layout!r}"
            raise InvalidInputError(msg)
        self._body: Any = model.base_model
        if options.compiled:
            self._body = torch.compile(self._body, dynamic=True)

    @classmethod
    def load(cls, path: Path | str, options: PolicyOptions | None = None, *, device: str = "cpu") -> Policy:
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
        return cls(model, tokenizer, options)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @property
    def plain_head(self) -> bool:
        """Whether logits are the product of hidden states and the output embedding."""
        return self._head is not None

    def logprobs(
        self,
        sequences: Sequence[TrainSequence],
        blocks: Sequence[Block],
        *,
        temperature: float = 1.0,
        router: bool = False,
    ) -> TokenOutputs:
        """Log-probs and entropies of all completion tokens of a micro-batch.

        Args:
            sequences: All sequences of the step.
            blocks: Those of this micro-batch.
            temperature: Positive; what the tokens were sampled at.
            router: Also the load-balancing loss of a mixture of experts.

        Raises:
            InvalidInputError: A router loss of a model without router outputs, or in a layout with padding.
        """
        if router and not (self.layout == "packed" and has_router(self.model)):
            msg = "the router loss needs a mixture-of-experts model that gives its router logits, and layout 'packed'"
            raise InvalidInputError(msg)
        targets = target_tokens(sequences, blocks, self.device)
        with self._offloading():
            hidden, router_loss = self._hidden(sequences, blocks, router=router)
        if self._head is not None:
            logprobs, entropies = token_logprobs(hidden, self._head.weight, targets, temperature=temperature)
        else:
            # Models that do more to their logits than one product: all logits of a micro-batch are held.
            table = torch.log_softmax(hidden.float() / temperature, dim=-1)
            entropies = -(table.exp() * table.clamp(min=torch.finfo(torch.float32).min)).sum(dim=-1)
            logprobs = table.gather(-1, targets[:, None]).squeeze(-1)
        return TokenOutputs(logprobs, entropies, router_loss)

    def _offloading(self) -> AbstractContextManager[object]:
        """Under it, what is saved for the backward outside checkpointed layers, which are their inputs, waits on the host."""
        if not self.options.offload_activations:
            return nullcontext()
        return save_on_cpu(pin_memory=self.device.type == "cuda")

    def _hidden(
        self, sequences: Sequence[TrainSequence], blocks: Sequence[Block], *, router: bool
    ) -> tuple[Tensor, Tensor | None]:
        """States (or, of a model whose head is not plain, logits) that predict each completion token, and the router loss."""
        body = self._body if self._head is not None else _Logits(self.model)
        router_loss = None
        if self.layout == "packed":
            options = {"output_router_logits": True} if router else {}
            kernel = self.options.packed_attention
            output = hidden_of_packed_sequences(body, sequences, blocks, self.device, kernel, **options)
            hidden: Tensor = output.last_hidden_state
            router_loss = balancing_loss(self.model, output.router_logits) if router else None
        else:
            # Nothing is shared by blocks of one row, as in supervised fine-tuning.
            shared = self.layout == "shared" and self._head is not None and any(len(block.rows) > 1 for block in blocks)
            forward = hidden_with_shared_prompts if shared else hidden_of_full_sequences
            hidden = forward(body, sequences, blocks, self.device)
        return hidden, router_loss

    def publish(self) -> None:
        """Rounds the master weights into the model; nothing to do when they are the model's own."""
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                master = self.masters.get(name, parameter)
                if master is not parameter:
                    parameter.copy_(master)

    def _lower(self, name: str, parameter: nn.Parameter) -> None:
        """Lets the model compute in bfloat16; what is frozen has no master, so it is rounded once and for all."""
        if parameter.requires_grad:
            self.masters[name] = _detach_master(parameter)
        else:
            parameter.data = parameter.data.to(torch.bfloat16)

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Yields what a generator needs: names as in the Hugging Face state dict, in the compute dtype.

        Adapters are merged into the weights they adapt.
        """
        if self.options.lora is not None:
            yield from merged_state(self.model, dict(self.model.named_parameters())).items()
            return
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

    def load_checkpoint(self, path: Path) -> None:
        """Sets the master weights to those of a checkpoint, whole or sharded.

        Raises:
            InvalidInputError: The folder is not a checkpoint, or one of another model.
        """
        load_weights(path, self)

    def export(self, path: Path | str) -> None:
        """Writes a Hugging Face folder (config, float32 safetensors, tokenizer) that ``AutoModelForCausalLM`` loads."""
        self.model.save_pretrained(path, state_dict=self.full_state())
        self.tokenizer.save_pretrained(path)

    def full_state(self) -> dict[str, Tensor]:
        """The float32 state dict that ``export`` writes, adapters merged."""
        # By identity, because tied weights have several names in the state dict.
        masters = {id(parameter): self.masters.get(name) for name, parameter in self.model.named_parameters()}
        state: dict[str, Tensor] = {}
        for name, tensor in self.model.state_dict(keep_vars=True).items():
            master = masters.get(id(tensor))
            state[name] = (tensor if master is None else master).detach()
        if self.options.lora is None:
            return state
        return {name: tensor.float() for name, tensor in merged_state(self.model, state).items()}


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


def _layout(model: PreTrainedModel, options: PolicyOptions) -> Layout:
    exact: dict[Layout, bool] = {"shared": can_share_prompts(model), "packed": can_pack(model), "padded": True}
    if options.layout != "auto":
        if not exact[options.layout]:
            msg = f"model.layout {options.layout!r} is not exact for {type(model).__name__} as set up; use 'auto'"
            raise InvalidInputError(msg)
        return options.layout
    order: tuple[Layout, ...] = ("packed", "shared", "padded") if has_router(model) else ("shared", "packed", "padded")
    return next(layout for layout in order if exact[layout])


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
