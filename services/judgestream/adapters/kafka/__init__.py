"""Kafka: how each client connects, the topics, and plain publishing and reading."""
