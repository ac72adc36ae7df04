"""The GPU benchmark: every step runs on a toy model on a CPU. Its figures are not checked."""

import json

import pytest

from tests.benchmarks import gpu_bench, gpu_engine


def test_every_step_of_the_gpu_benchmark_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu_engine.main(["--tiny", "--no-compile"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["bench"] for line in lines] == [
        "gpu-rung-cpu-segments",
        "gpu-rung-plain",
        "gpu-eager-rows-of-256",
        "gpu-eager-rows-of-512",
        "gpu-vs-judgelm-loop",
        "gpu-both-orders",
        "gpu-eager-one-request",
        "gpu-split",
        "gpu-split-one-request",
        "gpu-split-float8",
    ]
    assert all(line["ours"] > 0 and line["holds"] is None for line in lines)


def test_without_a_gpu_it_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit):
        gpu_engine.main([])
    assert "no GPU here; --tiny" in capsys.readouterr().err


def test_flops_are_counted_as_the_method_says() -> None:
    """64 wide, 2 layers, MLP 176: 2 x (4 x 64^2 + 3 x 64 x 176) = 100,352 weights. Ten tokens: 20 x 100,352
    + 2 x 10^2 x 64 x 2 = 2,032,640."""
    bench = gpu_bench.Bench.__new__(gpu_bench.Bench)
    bench.size = gpu_bench.TINY
    assert bench.flops([[3] * 10]) == 2_032_640
