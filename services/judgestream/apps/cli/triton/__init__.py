"""`judgestream triton`: the Triton servers of the settings."""
