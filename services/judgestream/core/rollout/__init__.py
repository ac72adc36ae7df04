"""Rollouts: which release answers, which ones wait for evidence, and which moves are legal."""
