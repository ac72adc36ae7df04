"""`judgestream suite`: published benchmarks through the pipeline."""
