"""LLaVA checkpoints as judges and CLIP checkpoints as image scorers, computed by transformers."""
