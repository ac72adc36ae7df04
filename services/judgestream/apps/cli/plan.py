"""`judgestream plan`: GPUs, workers, partitions, disk, memory and cost for a load."""

from dataclasses import asdict
from typing import Annotated

import typer

from judgestream.contracts.topics import REQUESTS, VERDICTS
from judgestream.core.capacity import GIB, GPUS, Constants, Keeping, Load, plan
from judgestream.core.errors import ConfigurationError
from judgestream.settings import load as load_settings
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, json_line, line, table

USUAL = Constants()
MS = 1000


def command(
    rate: Annotated[
        float, typer.Option("--requests-per-second", min=0.001, help="at the busiest time")
    ],
    mean_share: Annotated[
        float, typer.Option(min=0.001, max=1, help="mean rate over days, as a share of the busiest")
    ] = 1.0,
    parameters: Annotated[
        float, typer.Option(min=0.001, help="parameters of the judge, in billions")
    ] = 7.0,
    prompts: Annotated[float, typer.Option(min=1, help="prompts per request")] = 2.0,
    prompt_tokens: Annotated[float, typer.Option(min=1, help="tokens per prompt")] = 900.0,
    request_bytes: Annotated[float, typer.Option(min=1, help="bytes of one request")] = 4096.0,
    gpu: Annotated[str, typer.Option(help=f"GPU: {', '.join(GPUS)}")] = "h100-80",
    dollars_per_hour: Annotated[
        float, typer.Option(min=0, help="price of one GPU")
    ] = USUAL.dollars_per_hour,
    mfu: Annotated[
        float, typer.Option(min=0.01, max=1, help="share of the GPU's peak that the judge reaches")
    ] = USUAL.mfu,
    busy: Annotated[
        float, typer.Option(min=0.05, max=1, help="planned share of each limit")
    ] = USUAL.busy,
    latency_ms: Annotated[
        float, typer.Option(min=1, help="from reading a request to its verdict")
    ] = USUAL.latency_s * MS,
    replicas: Annotated[int, typer.Option(min=1, help="copies that Kafka keeps")] = 3,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Print what a load needs: GPUs, workers, partitions, Kafka's disk, Redis memory, and the cost.

    Arithmetic only: no server is asked. Retention, inflight requests and partitions are those of the settings
    and the topics. The capacity page says which constants were measured and which are published.
    """
    if gpu not in GPUS:
        raise ConfigurationError(f"no GPU {gpu!r}: use {', '.join(GPUS)}")
    settings = load_settings(find_stack=False)
    keeping = Keeping(
        requests_s=REQUESTS.retention_ms / MS,
        verdicts_s=VERDICTS.retention_ms / MS,
        counted_s=settings.bias.retention_s,
        published_s=settings.judging.published_ttl_s,
        replicas=replicas,
    )
    constants = Constants(
        mfu=mfu,
        busy=busy,
        dollars_per_hour=dollars_per_hour,
        inflight=settings.judging.inflight,
        latency_s=latency_ms / MS,
    )
    wanted = Load(
        requests_per_s=rate,
        mean_share=mean_share,
        prompts=prompts,
        prompt_tokens=prompt_tokens,
        request_bytes=request_bytes,
    )
    sizes = plan(wanted, parameters * 1e9, GPUS[gpu], keeping, constants, REQUESTS.partitions)
    if form is OutputFormat.JSON:
        json_line(asdict(sizes))
        return
    table(
        ("what", "size"),
        [
            ("prompt tokens per second", f"{sizes.tokens_per_s:,.0f}"),
            (f"of them on one {gpu}, at most", f"{sizes.gpu_tokens_per_s:,.0f}"),
            ("GPUs for one copy of the judge", sizes.gpus_per_copy),
            ("GPUs", sizes.gpus),
            ("judging workers", sizes.workers),
            (f"partitions of {REQUESTS.name}", sizes.partitions),
            (f"Kafka's disk, {replicas} copies", f"{sizes.kafka_bytes / GIB:,.0f} GiB"),
            ("Redis memory", f"{sizes.redis_bytes / GIB:,.1f} GiB"),
            ("GPU dollars per million verdicts", f"{sizes.dollars:,.2f}"),
        ],
    )
    line(
        f"at {busy:.0%} of each limit; the GPU's figure rests on an MFU of {mfu:.0%}: measure yours"
    )
