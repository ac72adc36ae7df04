"""Log lines and traces: the account that a process gives of its work."""
