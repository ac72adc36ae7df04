"""`judgestream release`: install judges as Triton models, and choose the one in use."""
