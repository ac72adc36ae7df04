"""Training processes: one, or those that torchrun started, with the model sharded over them.

FSDP2 (Zhao et al. 2023): every process holds a shard of each weight, its gradient and its optimizer state; a
layer is gathered only while it computes. Every process reads all sequences of a step and computes its share
of the packed batches, so the sum over the processes equals the gradient of a single process.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from judgestream_trainer.training.objective import Trainable

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """This process among `size`. `mesh` is None for a single process."""

    device: torch.device
    rank: int = 0
    size: int = 1
    mesh: DeviceMesh | None = None

    @property
    def first(self) -> bool:
        return self.rank == 0

    def total(self, values: Sequence[float]) -> list[float]:
        """The values summed over all processes, the same on each."""
        if self.size == 1:
            return list(values)
        summed = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(summed)
        sums: list[float] = summed.tolist()
        return sums

    def wait(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            distributed.barrier()

    def share(self, parts: Sequence[T]) -> list[tuple[T, bool]]:
        """This process's parts, as many as on every other process: one that has fewer repeats the last part,
        marked False, since a sharded forward needs all processes."""
        turns = -(-len(parts) // self.size)
        indices = [self.rank + self.size * k for k in range(turns)]
        return [(parts[min(k, len(parts) - 1)], k < len(parts)) for k in indices]


@contextmanager
def joined() -> Iterator[World]:
    """The processes that torchrun's environment describes; without torchrun, this process alone."""
    cuda = torch.cuda.is_available()
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(device=torch.device("cuda" if cuda else "cpu"))
        return
    device = torch.device("cpu")
    if cuda:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        mesh = init_device_mesh(device.type, (size,))
        yield World(device=device, rank=distributed.get_rank(), size=size, mesh=mesh)
    finally:
        distributed.destroy_process_group()


def shard(training_model: Trainable, world: World, precision: str) -> None:
    """Shard the model over the processes, layer by layer; embedding and heads are one more unit."""
    if world.mesh is None:
        # in place
        torch.nn.Module.to(training_model, world.device)
        return
    policy = MixedPrecisionPolicy()
    if precision == "bfloat16":
        policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16, reduce_dtype=torch.float32, cast_forward_inputs=False
        )
    layers: Any = training_model.model.base_model.layers
    for layer in layers:
        fully_shard(layer, mesh=world.mesh, mp_policy=policy)
    fully_shard(training_model, mesh=world.mesh, mp_policy=policy)


def local(tensor: Tensor) -> Tensor:
    """This process's shard of a tensor."""
    sharded: Any = tensor
    held: Tensor = sharded.to_local() if hasattr(sharded, "to_local") else tensor
    return held


def whole(tensor: Tensor) -> Tensor:
    """A sharded tensor gathered on every process."""
    sharded: Any = tensor
    gathered: Tensor = sharded.full_tensor() if hasattr(sharded, "full_tensor") else tensor
    return gathered.detach()
