"""The page /metrics of a process, for Prometheus: its own metrics, its version, and those of the process."""

from importlib.metadata import PackageNotFoundError, version

from prometheus_client import Gauge, start_http_server

from judgestream.core.errors import ConfigurationError


def _installed() -> str:
    try:
        return version("judgestream")
    except PackageNotFoundError:  # the sources, not installed
        return "unknown"


build_info = Gauge(
    "judgestream_build_info", "1, with the version of judgestream that runs", ["version"]
)
build_info.labels(_installed()).set(1)


def serve(host: str, port: int, *, settings: str) -> None:
    """Serve /metrics. Port 0 serves nothing.

    Args:
        settings: where port and host are set, for the error.

    Raises:
        ConfigurationError: the port is taken, or the host is not an address of this machine.
    """
    if not port:
        return
    try:
        start_http_server(port, addr=host)
    except OSError as exc:
        raise ConfigurationError(
            f"metrics cannot be served on {host}:{port} ({exc.strerror or exc}): stop its listener, or"
            f" set another {settings}"
        ) from exc
