"""The GPUs of a judge's instances, and the groups of GPUs that share one copy of the weights."""

from dataclasses import dataclass
from typing import Literal

from judgestream.core.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True, slots=True)
class Placing:
    """The placement of a judge's instances.

    instances   for each group of GPUs, or on the CPU
    gpus        by number, in the order of the groups; empty: each GPU by itself, or the first group
    group       GPUs per group

    Raises:
        ConfigurationError: the GPUs do not form whole groups, or a group is asked for without GPUs.
    """

    instances: int
    device: Literal["cpu", "gpu"]
    gpus: tuple[int, ...]
    group: int

    def __post_init__(self) -> None:
        if self.group < 1:
            raise ConfigurationError(f"invalid tensor parallel {self.group}: use 1 or more")
        if self.device == "cpu" and (self.group > 1 or self.gpus):
            raise ConfigurationError(
                "tensor parallel and GPU numbers need GPUs; give --device gpu too"
            )
        if len(set(self.gpus)) != len(self.gpus) or len(self.gpus) % self.group:
            raise ConfigurationError(
                f"GPUs {', '.join(map(str, self.gpus))} cannot be divided into groups of {self.group};"
                f" name each GPU once, and a multiple of {self.group} of them"
            )

    @property
    def groups(self) -> str:
        """Triton's `instance_group` entries. Triton does not know shared weights, so an entry names the first
        GPU of its group, and the model finds the others in `gpu_list`."""
        kind = f"count: {self.instances} kind: KIND_{self.device.upper()}"
        firsts = self._listed[:: self.group]
        return ", ".join(f"{{ {kind} gpus: [ {gpu} ] }}" for gpu in firsts) or f"{{ {kind} }}"

    @property
    def gpu_list(self) -> str:
        """All GPUs in use; "all" where Triton distributes the instances itself."""
        return ",".join(map(str, self._listed)) or "all"

    @property
    def _listed(self) -> tuple[int, ...]:
        return self.gpus or (tuple(range(self.group)) if self.group > 1 else ())
