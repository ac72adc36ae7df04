"""The dashboard of the judges inside Triton: our engine, endpoints and Triton's own queue."""

from judgestream.dashboards.panels import Dashboard, Limit, Panel, Section, Variable

MODELS = 'model=~"$model"'
NO_GPU = "Triton shows it for GPUs only"
OTHER = "only judges of this kind show it"


def _of(name: str, *more: str) -> str:
    return f"{name}{{{','.join((MODELS, *more))}}}"


def _rate(name: str, by: str = "model") -> str:
    return f"sum by ({by}) (rate({_of(name)}[$__rate_interval]))"


def _micro(total_us: str, each: str) -> str:
    """Seconds for each: Triton counts microseconds."""
    return f"{_rate(total_us)} / 1e6 / ({_rate(each)} > 0)"


WORK = (
    Panel(
        title="Prompts per second",
        queries={
            "{{model}}": "sum by (model) (rate({"
            '__name__=~"judgestream_(engine|vision|vllm|endpoint)_prompts_total",'
            f"{MODELS}}}[$__rate_interval]))"
        },
    ),
    Panel(
        title="Tokens per second",
        queries={
            "{{model}} of prompts": _rate("judgestream_engine_prompt_tokens_total"),
            "{{model}} run": _rate("judgestream_engine_run_tokens_total"),
            "{{model}} written": _rate("judgestream_engine_written_tokens_total"),
        },
        about="Fewer tokens are run than the prompts have: common prefixes are run once",
    ),
    Panel(
        title="Share of the time spent computing",
        queries={"{{model}}": _rate("judgestream_engine_seconds_total")},
        unit="percentunit",
        limit=Limit(value=0.9, colour="orange"),
        about="Near 1 the judge is the bottleneck. Runbook: docs/runbooks/judge-queue-long.md",
    ),
    Panel(
        title="Filled share of the last rows",
        queries={"{{model}}": f"max by (model) ({_of('judgestream_engine_fill_ratio')})"},
        unit="percentunit",
        about="Tokens over the budget of a row",
    ),
    Panel(
        title="Tokens per second of the last rows",
        queries={"{{model}}": f"max by (model) ({_of('judgestream_engine_tokens_per_second')})"},
        about="While computing; the speed of the device",
    ),
    Panel(
        title="MFU of the last rows",
        queries={"{{model}}": f"max by (model) ({_of('judgestream_engine_mfu_ratio')})"},
        unit="percentunit",
        most=1,
        about="FLOP/s of the linear layers over the device's peak in bf16",
        empty="the peak of CPUs is unknown",
    ),
    Panel(
        title="Verdicts unchanged by quantisation",
        queries={
            "{{model}} int8": f"max by (model) ({_of('judgestream_engine_int8_agreement_ratio')})",
            "{{model}} float8": f"max by (model) ({_of('judgestream_engine_float8_agreement_ratio')})",
        },
        unit="percentunit",
        least=0.98,
        most=1,
        empty=OTHER,
    ),
    Panel(
        title="Attention kernels",
        queries={"{{model}} {{kernel}}": _of("judgestream_engine_kernel_info")},
        kind="table",
    ),
    Panel(
        title="Cost of endpoints per hour",
        queries={"{{model}}": f"3600 * {_rate('judgestream_endpoint_cost_dollars_total')}"},
        unit="currencyUSD",
        about="Everything that the endpoints have reported, probes included",
        empty=OTHER,
    ),
)
QUEUE = (
    Panel(
        title="Requests to Triton per second",
        queries={
            "{{model}} answered": _rate("nv_inference_request_success"),
            "{{model}} failed": _rate("nv_inference_request_failure"),
        },
        unit="reqps",
    ),
    Panel(
        title="Time in the queue",
        queries={
            "{{model}}": _micro("nv_inference_queue_duration_us", "nv_inference_request_success")
        },
        unit="s",
        limit=Limit(value=5, colour="orange"),
        about="Mean of a request. Runbook: docs/runbooks/judge-queue-long.md",
        empty="no requests in the interval",
    ),
    Panel(
        title="Time of computing",
        queries={
            "{{model}}": _micro(
                "nv_inference_compute_infer_duration_us", "nv_inference_request_success"
            )
        },
        unit="s",
        empty="no requests in the interval",
    ),
    Panel(
        title="Requests that wait",
        queries={"{{model}}": f"sum by (model) ({_of('nv_inference_pending_request_count')})"},
    ),
    Panel(
        title="Prompts in a batch",
        queries={
            "{{model}}": f"{_rate('nv_inference_count')} / ({_rate('nv_inference_exec_count')} > 0)"
        },
        empty="no requests in the interval",
    ),
)
DEVICES = (
    Panel(
        title="GPU utilisation",
        queries={"{{gpu_uuid}}": "nv_gpu_utilization"},
        unit="percentunit",
        most=1,
        empty=NO_GPU,
    ),
    Panel(
        title="GPU memory used",
        queries={"{{gpu_uuid}}": "nv_gpu_memory_used_bytes / nv_gpu_memory_total_bytes"},
        unit="percentunit",
        most=1,
        empty=NO_GPU,
    ),
    Panel(
        title="Memory of the machine",
        queries={"{{instance}} used": "nv_cpu_memory_used_bytes"},
        unit="bytes",
    ),
)

DASHBOARD = Dashboard(
    uid="judgestream-engine",
    title="judgestream: engine",
    about="The judges inside Triton: what they compute, how long requests wait, and the devices.",
    variables=(
        Variable(
            name="model", label="Model", query="label_values(nv_inference_request_success, model)"
        ),
    ),
    sections=(
        Section(title="Work", panels=WORK),
        Section(title="Queue", panels=QUEUE),
        Section(title="Devices", panels=DEVICES),
    ),
)
