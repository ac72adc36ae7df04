"""All attention kernels, best first, and the self-test that chooses one for this machine.

Whether a kernel's requirements are met (a GPU, a compiler, a version of torch) cannot be known in advance,
and a wrong result raises no error. So at load each kernel is compared with the definition, and the first
that agrees is used.
"""

import logging
from dataclasses import dataclass

import torch
from torch import Tensor

from judgestream.engine.attention import AttentionStep, Kernel, attend, plain, segments, varlen
from judgestream.engine.flex import flex
from judgestream.engine.sorted_padding import sorted_padding

log = logging.getLogger(__name__)

TOLERANCE = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}

KERNELS: dict[str, Kernel] = {
    "cuda-varlen": varlen,
    "cuda-flex": flex,
    "cuda-sorted-padding": sorted_padding,
    "cpu-segments": segments,
    "plain": plain,
}
"""Name -> kernel. A name starts with the device type that the kernel is for; "plain" runs on any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A small row for the self-test: query [96, H, D], key and value [96, H_kv, D]."""

    query: Tensor
    key: Tensor
    value: Tensor

    @classmethod
    def of(
        cls, device: torch.device, dtype: torch.dtype, heads: int, kv_heads: int, width: int
    ) -> "Trial":
        """Views into one tensor, as a fused projection returns them."""
        generator = torch.Generator().manual_seed(1)
        both = torch.randn(96, heads + 2 * kv_heads, width, generator=generator).to(device, dtype)
        query, key, value = torch.split(both, [heads, kv_heads, kv_heads], dim=1)
        return cls(query=query, key=key, value=value)

    def run(self, kernel: Kernel) -> tuple[Tensor, Tensor]:
        """Output and log-sum-exp of a step of every kind."""
        nodes = ((0, 40), (40, 41), (41, 96))
        steps = (
            AttentionStep(queries=nodes, keys=nodes, causal=True),
            AttentionStep(queries=((40, 41), (60, 96)), keys=((0, 40), (5, 12))),
        )
        scale = float(self.query.shape[-1] ** -0.5)
        return attend(kernel, self.query, self.key, self.value, steps, scale)

    def check(self, kernel: Kernel) -> float:
        """The largest difference from `plain`.

        Raises:
            AssertionError: it is more than rounding.
            Exception: whatever the kernel itself raises.
        """
        tolerance = TOLERANCE[self.query.dtype]
        actual = [part.float() for part in self.run(kernel)]
        expected = [part.float() for part in self.run(plain)]
        torch.testing.assert_close(actual, expected, atol=tolerance, rtol=tolerance)
        return max(float((a - b).abs().max()) for a, b in zip(actual, expected, strict=True))


def candidates_for(device: torch.device) -> dict[str, Kernel]:
    """The kernels for this type of device, best first."""
    return {
        name: kernel
        for name, kernel in KERNELS.items()
        if name.split("-")[0] in (device.type, "plain")
    }


def choose(device: torch.device, dtype: torch.dtype, heads: int, kv_heads: int, width: int) -> str:
    """The name of the first kernel that agrees with `plain` on this machine.

    Raises:
        RuntimeError: no kernel does.
    """
    trial = Trial.of(device, dtype, heads, kv_heads, width)
    for name, kernel in candidates_for(device).items():
        try:
            trial.check(kernel)
        except Exception as error:
            log.warning("attention kernel %s is not usable here: %s", name, error)
            continue
        return name
    raise RuntimeError(f"no attention kernel works on {device} with {dtype}")
