"""Train one network, or a sweep of them: ``python -m src.train --help``."""

import sys


def main() -> None:
    """Compose the configuration of the command line and train."""
    try:
        from src.cli.hydra_app import launch
    except KeyboardInterrupt:
        sys.exit(130)
    launch("train", "src.train.run")


if __name__ == "__main__":
    if not __package__:
        # A script path on the command line puts src/train on the import path, not the project.
        print("error: start it as python -m src.train", file=sys.stderr)
        sys.exit(2)
    main()
