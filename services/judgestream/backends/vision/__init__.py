"""Judges that see images: LLaVA checkpoints, computed by transformers."""
