"""Train one network, or a sweep of them: ``python -m src.train --help``."""

import sys

if __name__ == "__main__":
    if not __package__:
        # Started as a file, Python looks for its modules beside it.
        print("error: start it as python -m src.train", file=sys.stderr)
        sys.exit(2)
    from src.cli import start

    start("train")
