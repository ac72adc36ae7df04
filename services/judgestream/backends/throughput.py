"""How a judge is doing, in numbers that can be read off: made of its work between two looks."""

from collections.abc import Mapping
from dataclasses import asdict, replace

import torch

from judgestream.engine.decoder import Decoder
from judgestream.engine.judge import Judge

PEAKS: Mapping[str, float] = {
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
"""Dense bf16 TFLOP/s by part of the GPU's name, the first that fits, from NVIDIA's data sheets (sparsity not
counted). Half of float8's where a GPU has it."""


def peak_flops(decoder: Decoder, given_tflops: float = 0.0) -> float | None:
    """FLOP/s that the decoder's devices could do together in bf16; None where that is not known.

    given_tflops  of one device; 0: by its name
    """
    tflops: float | None = given_tflops or None
    if tflops is None and decoder.device.type == "cuda":
        tflops = tflops_of(torch.cuda.get_device_name(decoder.device))
    return None if tflops is None else tflops * 1e12 * decoder.shards


def tflops_of(name: str) -> float | None:
    """A GPU's dense bf16 peak by its name."""
    return next((peak for part, peak in PEAKS.items() if part in name), None)


class Gauges:
    """Rates of what a judge has done since the last look."""

    def __init__(self, judge: Judge, peak: float | None) -> None:
        self._judge = judge
        self._peak = peak
        self._seen = replace(judge.work)

    def look(self) -> dict[str, float]:
        """Nothing if nothing was done, else:

        fill               of the rows: their tokens over their budget
        tokens_per_second  run
        mfu                FLOP/s of the linear layers over the peak; left out where that is not known
        """
        now = replace(self._judge.work)
        before, self._seen = asdict(self._seen), now
        done = {key: value - before[key] for key, value in asdict(now).items()}
        if not done["rows"] or done["seconds"] <= 0:
            return {}
        rate = done["run_tokens"] / done["seconds"]
        found = {
            "fill": done["run_tokens"] / (done["rows"] * self._judge.row_tokens),
            "tokens_per_second": rate,
        }
        if self._peak is not None:
            found["mfu"] = rate * self._judge.checkpoint.decoder.flops_per_token / self._peak
        return found
