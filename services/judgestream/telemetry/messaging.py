"""The attributes of spans that send records, by OpenTelemetry's conventions for messaging."""

from judgestream.telemetry.spans import Value


def sending(topic: str, value: bytes) -> dict[str, Value]:
    """Of the span that sends a record with this value."""
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
        "messaging.message.body.size": len(value),
    }
