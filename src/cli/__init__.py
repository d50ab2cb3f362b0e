"""Command-line entry points: compose and check the configuration, run, exit with a code."""
