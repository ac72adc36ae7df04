"""The client side, against a real Kafka."""
