"""The OTLP exporters of spans and of events, over gRPC."""

from collections.abc import Sequence
from typing import Any

import grpc
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from judgestream.adapters.tls.files import check_regular
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Telemetry

EXPORT_S = 5.0
"""Time limit of one export, with its retries."""


class Exporters:
    """Both exporters, with one address, key and certificate. They connect when they export first."""

    def __init__(self, settings: Telemetry) -> None:
        """Raises ConfigurationError: `telemetry.ca_file` cannot be read."""
        secure = settings.endpoint.startswith("https:")
        common: dict[str, Any] = {
            "endpoint": settings.endpoint,
            "insecure": not secure,
            "credentials": _credentials(settings) if secure else None,
            "headers": settings.header_pairs or None,
            "timeout": EXPORT_S,
        }
        self._spans = OTLPSpanExporter(**common)
        self._events = OTLPLogExporter(**common)

    def spans(self, batch: Sequence[ReadableSpan]) -> bool:
        """Whether the receiver has taken them."""
        return self._spans.export(batch) is SpanExportResult.SUCCESS

    def events(self, batch: Sequence[ReadableLogRecord]) -> bool:
        """Whether the receiver has taken them."""
        return self._events.export(batch) is LogRecordExportResult.SUCCESS

    def close(self) -> None:
        """End the exports in progress."""
        self._spans.shutdown(timeout_millis=0)
        self._events.shutdown(timeout_millis=0)


def _credentials(settings: Telemetry) -> grpc.ChannelCredentials:
    if settings.ca_file is None:
        return grpc.ssl_channel_credentials()
    check_regular(settings.ca_file, "telemetry.ca_file")
    try:
        return grpc.ssl_channel_credentials(settings.ca_file.read_bytes())
    except OSError as exc:
        raise ConfigurationError(
            f"telemetry.ca_file {settings.ca_file} cannot be read: {exc.strerror}. Name the file of the"
            " collector's certificate authority, in PEM format"
        ) from exc
