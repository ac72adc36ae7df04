"""Calls of the rollout service."""
