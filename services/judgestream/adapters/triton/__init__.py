"""Triton Inference Server over gRPC: the data plane in `judge`, the control plane in `control`."""
