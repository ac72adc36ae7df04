"""Kafka, Valkey and Triton on one machine: no root, no Docker, nothing installed but Python packages.

Each server is a child of the calling process, listens on 127.0.0.1 only, and dies with its parent.
"""
