"""Alarms on bias metrics, with a bound on the share of false ones.

`policy` says which metric is watched, `evidence` how strongly a window speaks against "within the limit",
`watch` when an alarm is raised and cleared.
"""
