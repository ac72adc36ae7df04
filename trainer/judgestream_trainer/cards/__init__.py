"""Evaluation cards: a judge measured on held-out examples, as JSON, Markdown and plots."""
