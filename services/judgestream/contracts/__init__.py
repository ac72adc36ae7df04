"""The records on the topics: which topics there are, and how their records are written and read."""
