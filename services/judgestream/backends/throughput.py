"""Rates of a judge's work between two readings."""

from dataclasses import asdict, replace

from judgestream.engine import devices
from judgestream.engine.decoder import Decoder
from judgestream.engine.judge import Judge


def peak_flops(decoder: Decoder, given_tflops: float = 0.0) -> float | None:
    """Peak FLOP/s in bf16 of all the decoder's devices together; None if unknown.

    given_tflops  of one device; 0: look it up by the device's name
    """
    peak = given_tflops * 1e12 if given_tflops else devices.peak_flops(decoder.device)
    return None if peak is None else peak * decoder.shards


class Throughput:
    """Rates of what a judge has done since the previous reading."""

    def __init__(self, judge: Judge, peak: float | None) -> None:
        self._judge = judge
        self._peak = peak
        self._previous = replace(judge.work)

    def rates(self) -> dict[str, float]:
        """The rates since the previous call; empty if nothing was done.

        fill_ratio         tokens of the rows over their budget
        tokens_per_second  tokens run
        mfu_ratio          FLOP/s of the linear layers over the peak; left out where the peak is unknown
        """
        now = replace(self._judge.work)
        before, self._previous = asdict(self._previous), now
        done = {key: value - before[key] for key, value in asdict(now).items()}
        if not done["rows"] or done["seconds"] <= 0:
            return {}
        tokens_per_second = done["run_tokens"] / done["seconds"]
        rates = {
            "fill_ratio": done["run_tokens"] / (done["rows"] * self._judge.row_tokens),
            "tokens_per_second": tokens_per_second,
        }
        if self._peak is not None:
            flops_per_token = self._judge.checkpoint.decoder.flops_per_token
            rates["mfu_ratio"] = tokens_per_second * flops_per_token / self._peak
        return rates
