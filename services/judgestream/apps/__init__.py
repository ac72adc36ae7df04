"""Composition and start-up: the workers, the command line, the local stack."""
