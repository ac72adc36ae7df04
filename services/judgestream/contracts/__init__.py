"""The contracts of the topics: their table, and the encoding of their records."""
