"""Promises about stopping, resuming and repeating, each tried until it would have failed."""
