"""Classify images that the user names."""
