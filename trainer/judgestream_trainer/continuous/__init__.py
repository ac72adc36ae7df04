"""Continuous training: examples in from Kafka, judges out when they pass the gate."""
