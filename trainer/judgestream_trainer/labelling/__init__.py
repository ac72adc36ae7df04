"""Labelling by a teacher: questions and answers of several models in, training files out.

sources -> pairing -> prompts -> run (teacher, budget, journal) -> usable -> records -> files. Everything
except the run is a pure function of its inputs, so an interrupted build that is run again writes the same
files, byte for byte. Every reply is in the journal, and no prompt is sent twice.
"""
