"""The judge's own inference in torch: checkpoints, score grammar, joint read-out, generation."""
