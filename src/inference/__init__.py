"""Inference: load a trained network from its run directory, predict with it."""
