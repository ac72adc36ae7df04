"""The judge's own inference: checkpoints, score grammar, joint read-out, greedy writing (torch)."""
