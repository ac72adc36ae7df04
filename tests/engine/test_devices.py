"""Peak rates of GPUs by their names."""

import pytest
import torch

from judgestream.engine.devices import peak_flops, tflops_of


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H200", 989),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA A100-SXM4-40GB", 312),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
        ("NVIDIA GeForce RTX 3090", None),
    ],
)
def test_a_gpu_is_recognised_by_its_name(name: str, peak: float | None) -> None:
    assert tflops_of(name) == peak


def test_a_cpu_has_no_known_peak() -> None:
    assert peak_flops(torch.device("cpu")) is None
