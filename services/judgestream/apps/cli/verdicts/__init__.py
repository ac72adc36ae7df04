"""`judgestream verdicts`: show verdicts, or write them to a file."""
