"""Judged pairs from a teacher: questions and several models' answers in, training files out.

sources -> pairing -> prompts -> run (teacher, budget, journal) -> usable -> records -> files. Everything but
the asking is a pure function of its inputs, so a build that was cut off and run again gives the same files,
byte for byte; what was asked is in the journal and is never asked again.
"""
