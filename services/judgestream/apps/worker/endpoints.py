"""The pages /metrics, /livez and /readyz of a worker."""

from judgestream import metrics_endpoint
from judgestream.apps.worker.status import WorkerStatus
from judgestream.process_health import Health
from judgestream.settings import Worker


def serve_health(settings: Worker, status: WorkerStatus) -> Health:
    """The health of a worker that starts, served at its port if it has one.

    Raises:
        ConfigurationError: the port is taken, or the host is not an address of this machine.
    """
    health = Health(lambda: status.reason)
    metrics_endpoint.serve(
        settings.metrics_host,
        settings.metrics_port,
        settings="JUDGESTREAM_WORKER__METRICS_PORT or JUDGESTREAM_WORKER__METRICS_HOST",
        health=health,
    )
    return health
