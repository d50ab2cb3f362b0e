"""Measure the speed of training on this machine: ``python -m src.benchmark --help``."""

import sys

if __name__ == "__main__":
    if not __package__:
        # Started as a file, Python looks for its modules beside it.
        print("error: start it as python -m src.benchmark", file=sys.stderr)
        sys.exit(2)
    from src.cli import start

    start("benchmark")
