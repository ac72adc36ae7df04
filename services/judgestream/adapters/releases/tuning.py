"""Options for running a release in Triton."""

from dataclasses import dataclass

from judgestream.checkpoints.dtypes import Dtype


@dataclass(frozen=True, kw_only=True, slots=True)
class Tuning:
    """How Triton runs a release.

    threads           torch threads per process; 0: torch's default (OMP_NUM_THREADS)
    dtype             the arithmetic of the judge
    row_tokens        tokens per forward pass; 0: the device's default
    queue_delay_us    how long a single request waits for others to share its batch, microseconds. While the
                      judge is busy, requests gather without it
    queue_timeout_us  longest wait in the queue, microseconds; a request may ask for less
    max_queue_size    waiting requests; further ones are refused at once
    tensor_parallel   GPUs that share one copy of the weights
    compile           torch.compile for the layers between attentions: minutes at load, faster on GPUs
    peak_tflops       peak of one device in the judge's arithmetic, for the MFU gauge; 0: known by the
                      GPU's name
    decoupled         scores in a first response, explanations in later ones; Triton then takes streaming
                      calls only
    """

    threads: int = 0
    dtype: Dtype = Dtype.AUTO
    row_tokens: int = 0
    queue_delay_us: int = 0
    queue_timeout_us: int = 30_000_000
    max_queue_size: int = 256
    tensor_parallel: int = 1
    compile: bool = False
    peak_tflops: float = 0.0
    decoupled: bool = False
