"""One file per outside system. Its errors are translated into ours here and nowhere else."""
