"""Low-rank adapters (Hu et al. 2021): W x + (alpha / r) B A x, with W frozen; saved in peft's format.

Our own layer instead of peft's: peft merges whole layers in place, while a sharded model is merged one
gathered weight at a time on the CPU. Tests load the saved adapter with peft.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear
from transformers import PreTrainedModel

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.randomness import derived
from judgestream_trainer.recipe import Lora
from judgestream_trainer.training.distributed import whole


class LoraLinear(nn.Module):
    """A frozen linear layer and its fp32 adapter. B starts at zero: no change at first."""

    def __init__(self, base: nn.Linear, how: Lora, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base
        self.scale = how.alpha / how.rank
        down = torch.empty(how.rank, base.in_features)
        nn.init.kaiming_uniform_(down, a=math.sqrt(5), generator=generator)
        self.lora_A = nn.Parameter(down)
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, how.rank))

    def forward(self, x: Tensor) -> Tensor:
        if self._in_one_product(x):
            weight, bias = self.base.weight, self.base.bias
            product: Tensor = _OneProduct.apply(  # type: ignore[no-untyped-call]
                x, weight, bias, self.lora_A, self.lora_B, self.scale
            )
            return product
        base: Tensor = self.base(x)
        # autocast would convert to its own type and back
        taken = x if torch.is_autocast_enabled(x.device.type) else x.to(self.lora_A.dtype)
        low = linear(taken, self.lora_A)
        return base + (self.scale * linear(low, self.lora_B)).to(base.dtype)

    def _in_one_product(self, x: Tensor) -> bool:
        """Everything is fp32, where the merged weight loses nothing, and the base has no gradient."""
        if torch.is_autocast_enabled(x.device.type):
            return False
        tensors = (x, self.base.weight, self.lora_A, self.lora_B)
        frozen = not any(parameter.requires_grad for parameter in self.base.parameters())
        return frozen and all(tensor.dtype == torch.float32 for tensor in tensors)


class _OneProduct(torch.autograd.Function):
    """x (W + s B A)^T + bias. The sum of the weights costs less than the adapter's own way through all rows,
    and so it is made twice instead of kept.

    Gradients, for rows x [T, in] and g = dL/dy [T, out]: dx = g (W + s B A), dA = s (g B)^T x and
    dB = s g^T (x A^T). W and the bias are frozen and have none.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        down: Tensor,
        up: Tensor,
        scale: float,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, down, up)
        ctx.scale = scale
        return linear(x, torch.addmm(weight, up, down, alpha=scale), bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, down, up = ctx.saved_tensors
        rows, g = x.reshape(-1, x.shape[-1]), gradient.reshape(-1, gradient.shape[-1])
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = (g @ torch.addmm(weight, up, down, alpha=ctx.scale)).view(x.shape)
        # scaled while they have few columns
        to_down = (ctx.scale * (g @ up)).T @ rows
        to_up = g.T @ (ctx.scale * (rows @ down.T))
        return to_x, None, None, to_down, to_up, None


def adapt(model: PreTrainedModel, how: Lora, *, seed: int) -> None:
    """Freeze the model and add an adapter to every linear layer that `how` names.

    Raises:
        ConfigurationError: no layer has one of these names.
    """
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(derived("lora", seed).getrandbits(32))
    for name, module in list(model.named_modules()):
        parent, _, child = name.rpartition(".")
        if isinstance(module, nn.Linear) and child in how.targets:
            setattr(model.get_submodule(parent), child, LoraLinear(module, how, generator))
    if not adapters(model):
        raise ConfigurationError(
            f"lora.targets: the base has no linear layer named {', '.join(how.targets)}"
        )


def adapters(model: nn.Module) -> dict[str, LoraLinear]:
    """The adapted layers by name."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, LoraLinear)}


def adapter_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The adapters' weights by peft's names, gathered on the CPU. If the model is sharded, all processes must
    call this."""
    return {
        f"base_model.model.{name}.{part}.weight": whole(getattr(layer, part)).cpu().contiguous()
        for name, layer in adapters(model).items()
        for part in ("lora_A", "lora_B")
    }


def write_adapter(
    folder: Path, tensors: dict[str, Tensor], how: Lora, *, base: str, task: str = "CAUSAL_LM"
) -> None:
    """Write `adapter_config.json` and `adapter_model.safetensors` in peft's format."""
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "peft_type": "LORA",
        "task_type": task,
        "base_model_name_or_path": base,
        "r": how.rank,
        "lora_alpha": how.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "target_modules": sorted({name.split(".")[-3] for name in tensors if ".lora_" in name}),
        "inference_mode": True,
    }
    text = json.dumps(config, indent=2) + "\n"
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})


@torch.no_grad()
def merged(layer: LoraLinear) -> Tensor:
    """The merged weight of a layer, gathered on the CPU, in the base's dtype. If the model is sharded, all
    processes must call this."""
    base, down, up = (
        whole(tensor).cpu() for tensor in (layer.base.weight, layer.lora_A, layer.lora_B)
    )
    return (base.float() + layer.scale * (up.float() @ down.float())).to(base.dtype)
