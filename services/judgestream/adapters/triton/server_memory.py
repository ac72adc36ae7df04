"""The free memory of a Triton server: from its metrics, or of this machine if the server runs on it."""

import asyncio
import re
import socket
from collections import defaultdict
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from judgestream.core.fleet.memory import FreeMemory
from judgestream.core.fleet.server_list import join_address

METRICS_S = 3.0
MAX_BYTES = 16 * 1024**2
"""Of a page of metrics that are read."""

_LINE = re.compile(r"^(nv_[a-z_]+)(?:\{([^}]*)\})? ([0-9.eE+-]+)$", re.MULTILINE)
_GPU = re.compile(r'gpu_uuid="([^"]*)"')


async def free_memory(host: str, metrics_port: int) -> tuple[FreeMemory, ...]:
    """The memory of each GPU, else the main memory; () if it is unknown.

    Args:
        host: name or address of the server.
        metrics_port: of its metrics; 0 if unknown.
    """
    devices: tuple[FreeMemory, ...] = ()
    if metrics_port:
        url = f"http://{join_address(host, metrics_port)}/metrics"
        devices = from_metrics(await asyncio.to_thread(_page, url))
    if any(device.device.startswith("GPU") for device in devices):
        return devices
    if await asyncio.to_thread(is_this_machine, host):
        memory = psutil.virtual_memory()
        # counts caches that the kernel can drop, which Triton's figure does not
        return (
            FreeMemory(device="main memory", free=int(memory.available), total=int(memory.total)),
        )
    return devices


def from_metrics(page: str) -> tuple[FreeMemory, ...]:
    """Each GPU of a page of Triton's metrics; without one the main memory; () without either."""
    used: dict[str, dict[str, float]] = defaultdict(dict)
    for name, labels, value in _LINE.findall(page):
        gpu = _GPU.search(labels)
        try:
            if name in ("nv_gpu_memory_total_bytes", "nv_gpu_memory_used_bytes") and gpu:
                used[gpu.group(1)][name[14:19]] = float(value)
            elif name in ("nv_cpu_memory_total_bytes", "nv_cpu_memory_used_bytes"):
                used["main memory"][name[14:19]] = float(value)
        except ValueError:
            continue
    devices = tuple(
        FreeMemory(
            device=device, free=int(found["total"] - found["used_"]), total=int(found["total"])
        )
        for device, found in sorted(used.items())
        if {"total", "used_"} <= found.keys()
    )
    gpus = tuple(device for device in devices if device.device != "main memory")
    return gpus or devices


def is_this_machine(host: str) -> bool:
    """Whether a name or an address is one of this machine's."""
    try:
        addresses = {str(sockaddr[0]) for *_, sockaddr in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return False
    own = {
        address.address.partition("%")[0]
        for interface in psutil.net_if_addrs().values()
        for address in interface
    }
    return bool(addresses & own)


def _page(url: str) -> str:
    """The page of metrics; "" if it cannot be read."""
    try:
        with urlopen(url, timeout=METRICS_S) as answer:  # noqa: S310 - http only  # nosec B310
            return str(answer.read(MAX_BYTES).decode(errors="replace"))
    except (URLError, OSError, ValueError):
        return ""
