"""The catalogue of metrics, the dashboards and the alert rules."""
