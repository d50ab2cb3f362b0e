"""Measuring: training against a bare loop, the input path, the start, each operation."""
