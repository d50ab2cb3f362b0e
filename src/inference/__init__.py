"""A trained network: loaded from its run directory, and asked for predictions."""
