"""`judgestream dlq`: dead-lettered records."""
