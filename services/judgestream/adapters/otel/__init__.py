"""Traces by OpenTelemetry's SDK, sent by OTLP over gRPC. Needs the extra `otel`."""
