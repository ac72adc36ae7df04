"""Peak arithmetic rates of GPUs, for model FLOPs utilisation (MFU)."""

from collections.abc import Mapping
from types import MappingProxyType

import torch

PEAK_TFLOPS: Mapping[str, float] = MappingProxyType(
    {
        "A100": 312.0,
        "A10G": 70.0,
        "A10": 125.0,
        "L40S": 362.0,
        "L40": 181.0,
        "L4": 121.0,
        "H100 PCIe": 756.0,
        "H100 NVL": 835.0,
        "H100": 989.0,
        "H200": 989.0,
        "B200": 2250.0,
    }
)
"""Dense bf16 TFLOP/s by a part of the GPU's name; the first match counts. From NVIDIA's data sheets, without
sparsity. Float8 has twice the rate where a GPU supports it."""


def tflops_of(name: str) -> float | None:
    """Dense bf16 TFLOP/s of the GPU with this name; None if unknown."""
    return next((peak for part, peak in PEAK_TFLOPS.items() if part in name), None)


def peak_flops(device: torch.device) -> float | None:
    """Dense bf16 FLOP/s of the device; None if unknown, as for every CPU."""
    if device.type != "cuda":
        return None
    tflops = tflops_of(torch.cuda.get_device_name(device))
    return None if tflops is None else tflops * 1e12
