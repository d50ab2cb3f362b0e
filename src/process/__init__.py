"""Signals, child processes, and children that end with their parent."""
