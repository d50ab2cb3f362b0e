"""Trained networks as files for other programs, each loaded again and compared."""
