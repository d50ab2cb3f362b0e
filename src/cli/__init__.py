"""From a command line to a checked configuration, a job and an exit code."""
