"""What a verdict is and how it is settled: pure, no I/O, no clock, no hidden randomness."""
