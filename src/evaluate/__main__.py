"""Evaluate a trained run: ``python -m src.evaluate --help``."""

import sys

if __name__ == "__main__":
    if not __package__:
        # Started as a file, Python looks for its modules beside it.
        print("error: start it as python -m src.evaluate", file=sys.stderr)
        sys.exit(2)
    from src.cli import start

    start("evaluate")
