"""Measurement: verdicts and labels in, numbers with intervals and decisions out.

Pure and deterministic: no I/O, no clock, no torch; a bootstrap takes its seed. Every measure exists once,
here. `docs/design/statistics.md` defines the figures and reports the simulated coverage of the intervals.

Everything is standard-library code, because `judgestream agreement` and `bias report` work in the base
install, which has neither numpy nor scipy, and because scipy, statsmodels and scikit-learn lack the
clustered and smoothed intervals. The tests compare what both have with scipy and scikit-learn.
"""
