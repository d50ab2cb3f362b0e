"""One training run, from its first line to its last."""
