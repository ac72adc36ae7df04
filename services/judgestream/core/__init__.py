"""The judging domain, from a request to its verdict: pure, without I/O, clock or hidden randomness."""
