"""The processes that train together: one, or as many as torchrun started, with the model sharded over them.

FSDP2 (Zhao et al. 2023): every process holds a share of each weight, of its gradient and of the optimizer's
state; a layer is whole only while it computes. Every process knows the whole step's sequences and takes its
share of the packed rows, so the sum over processes is the gradient of one.
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

from judgestream_trainer.training.objective import Trainee

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """This process's place among `size`. `mesh` is there when there are others."""

    device: torch.device
    rank: int = 0
    size: int = 1
    mesh: DeviceMesh | None = None

    @property
    def first(self) -> bool:
        return self.rank == 0

    def total(self, values: Sequence[float]) -> list[float]:
        """The values summed over all processes, the same everywhere."""
        if self.size == 1:
            return list(values)
        summed = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(summed)
        found: list[float] = summed.tolist()
        return found

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            distributed.barrier()

    def share(self, parts: Sequence[T]) -> list[tuple[T, bool]]:
        """This process's parts, as many as anyone's: a process with one less repeats the last part, marked
        False, since a sharded forward takes all processes."""
        rounds = -(-len(parts) // self.size)
        at = [self.rank + self.size * k for k in range(rounds)]
        return [(parts[min(k, len(parts) - 1)], k < len(parts)) for k in at]


@contextmanager
def joined() -> Iterator[World]:
    """The world that torchrun's environment names; without one, this process alone."""
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


def shard(trainee: Trainee, world: World, precision: str) -> None:
    """Spread the trainee over the world, layer by layer; the rest (embedding, heads) is one more unit."""
    if world.mesh is None:
        torch.nn.Module.to(trainee, world.device)  # in place
        return
    policy = MixedPrecisionPolicy()
    if precision == "bfloat16":
        policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16, reduce_dtype=torch.float32, cast_forward_inputs=False
        )
    layers: Any = trainee.model.base_model.layers
    for layer in layers:
        fully_shard(layer, mesh=world.mesh, mp_policy=policy)
    fully_shard(trainee, mesh=world.mesh, mp_policy=policy)


def local(tensor: Tensor) -> Tensor:
    """What of a tensor this process holds."""
    whole: Any = tensor
    held: Tensor = whole.to_local() if hasattr(whole, "to_local") else tensor
    return held


def whole(tensor: Tensor) -> Tensor:
    """A sharded tensor put together, on every process."""
    part: Any = tensor
    found: Tensor = part.full_tensor() if hasattr(part, "full_tensor") else tensor
    return found.detach()
