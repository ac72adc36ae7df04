"""Sizes of a deployment from its load: GPUs, workers, partitions, disk, memory, dollars per verdict.

Arithmetic only. docs/how-to/capacity.md says where each constant comes from, and which were measured.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from judgestream.core.errors import ConfigurationError

GIB = 1 << 30
DAY_S = 86_400
HOUR_S = 3_600
MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """One card, from NVIDIA's data sheet: dense bf16 FLOP/s without sparsity, and bytes of memory."""

    name: str
    peak_flops: float
    memory_bytes: float


GPUS: Mapping[str, Gpu] = MappingProxyType(
    {
        gpu.name: gpu
        for gpu in (
            Gpu(name="a100-40", peak_flops=312e12, memory_bytes=40e9),
            Gpu(name="a100-80", peak_flops=312e12, memory_bytes=80e9),
            Gpu(name="h100-80", peak_flops=989e12, memory_bytes=80e9),
            Gpu(name="h200", peak_flops=989e12, memory_bytes=141e9),
        )
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """The requests to judge.

    requests_per_s    at the busiest time that must not build up a backlog
    mean_share        the mean over days, as a share of that: for what is kept, and for the cost of a verdict
    prompts           of one request: 2 where a pair is asked in both orders
    prompt_tokens     of one prompt, with the template
    request_bytes     of one record
    """

    requests_per_s: float
    mean_share: float = 1.0
    prompts: float = 2.0
    prompt_tokens: float = 900.0
    request_bytes: float = 4096.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Constants:
    """What one unit does. The defaults are explained in docs/how-to/capacity.md.

    mfu               share of the GPU's peak that prefill reaches
    busy              planned share of each GPU's and worker's limit; the rest is for peaks and a failed node
    dollars_per_hour  of one GPU
    worker_cpu_s      CPU seconds of a worker per request with two prompts
    inflight          requests that one worker handles at the same time: setting judging.inflight
    latency_s         from reading a request to its verdict, with the judge
    verdict_bytes     of one verdict's record
    redis_counted     bytes in Redis per verdict that the bias worker counted
    redis_published   bytes in Redis per published verdict id
    overhead          memory on a GPU beside the weights, as a share of the weights
    """

    mfu: float = 0.44
    busy: float = 0.7
    dollars_per_hour: float = 3.0
    worker_cpu_s: float = 0.002
    inflight: int = 64
    latency_s: float = 0.5
    verdict_bytes: float = 1024.0
    redis_counted: float = 500.0
    redis_published: float = 250.0
    overhead: float = 0.3


@dataclass(frozen=True, kw_only=True, slots=True)
class Keeping:
    """How long things are kept, in seconds, and in how many copies Kafka keeps them."""

    requests_s: float
    verdicts_s: float
    counted_s: float
    published_s: float
    replicas: int = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The sizes.

    gpu_tokens_per_s    prompt tokens per second of one GPU at its full MFU
    gpus_per_copy       cards that hold one copy of the weights (tensor parallel)
    gpus                a multiple of gpus_per_copy
    dollars             per million verdicts, of GPUs alone, at the mean rate
    """

    tokens_per_s: float
    gpu_tokens_per_s: float
    gpus_per_copy: int
    gpus: int
    workers: int
    partitions: int
    kafka_bytes: float
    redis_bytes: float
    dollars: float


def plan(
    load: Load, parameters: float, gpu: Gpu, keeping: Keeping, constants: Constants, least: int
) -> Plan:
    """The sizes for this load.

    A forward pass costs two FLOPs per parameter and token (Kaplan et al., arXiv:2001.08361, table 1).
    Attention adds 1 to 3 % at 600 to 1,500 tokens and is left out.

    Args:
        parameters: of the judge, in bf16.
        least: partitions that the topic of requests has.

    Raises:
        ConfigurationError: a number that must be positive is not.
    """
    _positive(
        requests_per_s=load.requests_per_s,
        mean_share=load.mean_share,
        prompts=load.prompts,
        prompt_tokens=load.prompt_tokens,
        parameters=parameters,
        mfu=constants.mfu,
        busy=constants.busy,
        latency_s=constants.latency_s,
        inflight=constants.inflight,
    )
    tokens = load.requests_per_s * load.prompts * load.prompt_tokens
    each = gpu.peak_flops * constants.mfu / (2 * parameters)
    per_copy = math.ceil(2 * parameters * (1 + constants.overhead) / gpu.memory_bytes)
    copies = math.ceil(tokens / (each * per_copy * constants.busy))
    gpus = copies * per_copy
    workers = max(
        math.ceil(load.requests_per_s * constants.worker_cpu_s * load.prompts / 2 / constants.busy),
        math.ceil(
            load.requests_per_s * constants.latency_s / (constants.inflight * constants.busy)
        ),
    )
    mean = load.requests_per_s * load.mean_share
    stored = load.request_bytes * keeping.requests_s + constants.verdict_bytes * keeping.verdicts_s
    in_redis = (
        constants.redis_counted * keeping.counted_s
        + constants.redis_published * keeping.published_s
    )
    return Plan(
        tokens_per_s=tokens,
        gpu_tokens_per_s=each,
        gpus_per_copy=per_copy,
        gpus=gpus,
        workers=workers,
        partitions=max(least, _power_of_two(workers)),
        kafka_bytes=mean * stored * keeping.replicas,
        redis_bytes=mean * in_redis,
        dollars=gpus * constants.dollars_per_hour / (mean * HOUR_S) * MILLION,
    )


def _power_of_two(least: int) -> int:
    return 1 << max(0, least - 1).bit_length()


def _positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if not (math.isfinite(number) and number > 0):
            raise ConfigurationError(f"{name} must be a number above 0, and it is {number}")
