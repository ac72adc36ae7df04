"""The GPU's training benchmark runs, tiny, where there is no GPU."""

import json

import pytest

from tests.benchmarks import gpu_train


def test_the_gpu_benchmark_runs_tiny_on_a_cpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu_train.main(["--tiny"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0]["bench"] == "full fine-tune, tokens"
    assert lines[0]["ours"] > 0


def test_without_a_gpu_the_full_size_fails_with_the_fix(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU: the full size would run")
    assert gpu_train.main([]) == 2
    assert "--tiny" in capsys.readouterr().err
