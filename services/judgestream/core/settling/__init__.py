"""Settling rules of single modes: the readings of all passes -> one outcome. Pairs: `core.reconcile`."""
