"""One adapter per foreign format. Foreign names become ours here, once, and nowhere else."""
