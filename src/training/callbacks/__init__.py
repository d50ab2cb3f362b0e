"""Lightning callbacks, one in each file."""
