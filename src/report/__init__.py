"""Compare runs over their seeds."""
