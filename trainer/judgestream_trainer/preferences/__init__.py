"""Preferences: several graded answers to one question, from which reward models learn."""
