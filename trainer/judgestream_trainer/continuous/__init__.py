"""The trainer as a service: examples in from Kafka, judges out when they are better than the current one."""
