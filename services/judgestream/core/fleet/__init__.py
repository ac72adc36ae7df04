"""Several Triton servers with the same releases: their states, and the choice of one for the next call."""
