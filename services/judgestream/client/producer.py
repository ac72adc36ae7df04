"""The producer of requests and labels."""

from collections.abc import Sequence
from typing import Any, Self

from judgestream.adapters.kafka.publishing import RequestPublisher
from judgestream.client.running_trace import current_trace
from judgestream.contracts.events import JSON, PROTOBUF, Header
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import Label, Request
from judgestream.settings import Kafka, load


class Producer:
    """Publishes requests and labels. As a context manager it confirms everything at the end.

    Not thread-safe: use one per thread.
    """

    def __init__(self, settings: Kafka | None = None, *, content_type: str = PROTOBUF) -> None:
        """Connect.

        Args:
            settings: the Kafka to use; None reads the environment.
            content_type: `PROTOBUF` or `JSON`.

        Raises:
            BrokerUnavailable: no broker answers.
            ConfigurationError: a setting is invalid.
        """
        if content_type not in (PROTOBUF, JSON):
            raise ConfigurationError(
                f"unknown content type {content_type!r}: use {PROTOBUF} or {JSON}"
            )
        self._content_type = content_type
        self._publisher = RequestPublisher(settings or load().kafka)

    def submit(self, request: Request, *, trace: Sequence[Header] | None = None) -> None:
        """Send a request. Returns before it is confirmed; blocks while too many are unconfirmed.

        Args:
            trace: the headers `traceparent` and `tracestate`, so that the judgement belongs to that trace;
                None: of the program's running OpenTelemetry span, if it has one.

        Raises:
            InvalidRequest, OversizeRecord: nothing was sent.
            BrokerUnavailable: this request or an earlier one was not confirmed.
        """
        found = current_trace() if trace is None else trace
        self._publisher.submit(request, content_type=self._content_type, trace=found)

    def label(self, label: Label) -> None:
        """Send a label. Raises as `submit` does."""
        self._publisher.label(label, content_type=self._content_type)

    def flush(self) -> int:
        """Wait until all in-sync replicas have every record sent so far. Returns their number.

        Raises:
            BrokerUnavailable: a record was not confirmed; sending it again is harmless.
        """
        return self._publisher.flush()

    def close(self) -> None:
        """`flush`, then disconnect."""
        self._publisher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: Any) -> None:
        self._publisher.__exit__(*details)
