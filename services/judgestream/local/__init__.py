"""Kafka, Valkey and Triton on one machine, without root or Docker, from Python packages only.

Each server is a child of the calling process, listens on 127.0.0.1 only, and dies with its parent.
"""
